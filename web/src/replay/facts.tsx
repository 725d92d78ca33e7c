/** What an episode is and how its physics differed. */
import { compact, figure, whole } from '../shell/format'
import type { Facts, Override } from './episode'
import { t } from './replay-words'
import { reasonWord } from './reasons'

/** What MuJoCo derives from the fields that were drawn. */
const DERIVED = /^(body_inertia|body_subtreemass|body_invweight0|dof_M0|dof_invweight0|actuator_acc0)$/

export function FactsPanel({ facts }: { facts: Facts }) {
  const rows: [string, string][] = [
    [t('number'), `#${facts.number}`],
    [t('key'), facts.key],
    [t('timestep'), facts.timestep === null ? '–' : compact(facts.timestep)],
    [t('return'), figure(facts.return)],
    [t('length'), t('steps', { n: whole(facts.length) })],
    [t('reason'), reasonWord(facts.reason)],
    ...(facts.success === null ? [] : ([[t('success'), facts.success ? t('yes') : t('no')]] as [string, string][])),
    ...(facts.rand_power === null ? [] : ([[t('power'), figure(facts.rand_power)]] as [string, string][])),
  ]
  const groups = grouped(facts.overrides)
  return (
    <section class="facts">
      <h2>{t('facts')}</h2>
      <dl>{rows.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>
      <h3>{t('randomised')}</h3>
      {groups.length ? (
        <ul>{groups.map(({ field, of, value, scene }) => (
          <li key={field + of}>
            {t('randomisedOf', { field, of })}: <b>{figure(value)}</b>
            {scene !== null && <small> ({t('unlike', { value: figure(scene) })})</small>}
          </li>
        ))}</ul>
      ) : <p class="muted">{t('notRandomised')}</p>}
    </section>
  )
}

/** One line for elements that were given the same value. */
export function grouped(overrides: Override[]): { field: string; of: string; value: number; scene: number | null }[] {
  const found = new Map<string, { field: string; of: string; value: number; scene: number | null }>()
  for (const { field, of, part, value, scene } of overrides) {
    // With no power the draw rounds to what the scene has.
    if (DERIVED.test(field) || (scene !== null && Math.abs(value - scene) <= 1e-9 * Math.abs(scene))) continue
    const name = part ? `${field}[${part}]` : field
    const key = `${name} ${value} ${scene}`
    const known = found.get(key)
    if (known) known.of += `, ${of}`
    else found.set(key, { field: name, of, value, scene })
  }
  return [...found.values()]
}
