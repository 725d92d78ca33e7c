/** Which charts the live page shows, of what a run has recorded. */
import type { FieldInfo, Overview } from '../messages'

export interface Group {
  title: 'episodes' | 'learner' | 'speed' | 'more'
  keys: string[]
}

const EPISODES = ['return', 'length', 'is_success'].map((name) => `episodes:${name}`)
const LEARNER = [
  ...['approx_kl', 'clip_fraction', 'explained_variance', 'entropy_loss', 'value_loss', 'policy_gradient_loss'].map((name) => `updates:train/${name}`),
  'updates:gradient_norm',
  ...['learning_rate', 'std', 'actor_loss', 'critic_loss', 'ent_coef', 'loss'].map((name) => `updates:train/${name}`),
]
const SPEED = ['updates:time/steps_per_second', ...['cpu_percent', 'memory_bytes', 'disk_free_bytes'].map((name) => `system:${name}`)]

export const TIMES = ['updates:time/rollout_s', 'updates:time/update_s']

export const keyOf = (field: FieldInfo): string => `${field.stream}:${field.name}`

export function groups(overview: Overview, more: readonly string[]): Group[] {
  const known = new Set(overview.fields.map(keyOf))
  const present = (keys: string[]) => keys.filter((key) => known.has(key))
  const episodes = present(EPISODES)
  return [
    // Without episodes there is still the reward of each step.
    { title: 'episodes', keys: episodes.length ? episodes : present(['steps:reward']) },
    { title: 'learner', keys: present(LEARNER) },
    { title: 'speed', keys: present(SPEED) },
    { title: 'more', keys: more.filter((key) => known.has(key.replace(/[#@].*$/, ''))) },
  ]
}

/** The terms of the reward, rewards first; of episodes, or else of steps. */
export function components(overview: Overview): string[] {
  const of = (stream: string, pattern: RegExp) =>
    overview.fields.filter((field) => field.stream === stream && pattern.test(field.name)).map(keyOf)
  const episodes = [...of('episodes', /^reward_components\./), ...of('episodes', /^cost_components\./)]
  return episodes.length ? episodes : [...of('steps', /^reward_component\./), ...of('steps', /^cost_component\./)]
}

export const isCost = (key: string): boolean => /:cost_components?\./.test(key)

/** `episodes:cost_components.joint_limits` is called `joint limits`. */
export const plainName = (key: string): string =>
  key.replace(/^[^:]*:/, '').replace(/^(reward|cost)_components?\./, '').replace(/^train\//, '').replaceAll('_', ' ')

/** Into how many buckets a curve of a stream is drawn: so many episodes that a band shows their spread. */
export function bucketsFor(key: string, overview: Overview): number {
  if (!key.startsWith('episodes:')) return 400
  // In steps, so that a growing run is not asked for anew at each episode.
  return [320, 160, 80, 40, 20].find((n) => overview.episodes >= n * 5) ?? 10
}
