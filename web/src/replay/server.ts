/** Episodes and scenes from the server; scenes are kept, they never change. */
import type { EpisodeList, EpisodeRow } from '../messages'
import { at, getBinary, getJson } from '../shell/api'
import { openEpisode, readColumns, type Columns } from './episode'
import { unpack } from './container'
import { decode, type Channel, type ChannelHeader } from './quantised'
import { openScene, type Scene } from './scene'
import { loaded, type Loaded } from './source'

const scenes = new Map<string, Promise<Scene>>()

export function sceneOf(run: string, digest: string, physics: string | null): Promise<Scene> {
  const key = `${run} ${digest} ${physics}`
  let coming = scenes.get(key)
  if (!coming) {
    coming = getBinary(at`runs/${run}/scenes/${digest}`, { physics }).then(openScene)
    scenes.set(key, coming)
    coming.catch(() => scenes.delete(key))
  }
  return coming
}

/** `worst`, `median` and `best` are those of the window. */
export async function loadEpisode(run: string, key: string, window: Window = {}, signal?: AbortSignal): Promise<Loaded> {
  const episode = openEpisode(await getBinary(at`runs/${run}/episodes/${key}/replay`, { ...window }, signal))
  const { scene, physics, problem } = episode.facts
  const own = scene && !problem ? await sceneOf(run, scene, physics).catch(() => null) : null
  return loaded(episode, own, async (names): Promise<Columns> =>
    readColumns(await getBinary(at`runs/${run}/episodes/${episode.facts.key}/columns`, { names: names.join() })).columns,
  )
}

/** What should be different, as the server understands it. */
export type Changes = Partial<Record<'from' | 'friction' | 'mass' | 'gravity' | 'push_x' | 'push_y' | 'push_s' | 'policy', string>>

/** An episode with its recorded inputs, or a policy, under other circumstances; it has no columns but the positions. */
export async function whatIf(run: string, key: string, changes: Changes, signal?: AbortSignal): Promise<Loaded> {
  const episode = openEpisode(await getBinary(at`runs/${run}/episodes/${key}/what-if`, changes, signal))
  const { scene, physics } = episode.facts
  return loaded(episode, scene ? await sceneOf(run, scene, physics) : null, async () => new Map())
}

export interface Window {
  from?: string | null
  to?: string | null
}

/** Of a window, those of one environment, or that were asked for something (`0:0.25..0.5`). */
export interface Choice extends Window {
  env?: string | null
  command?: string | null
}

export const listEpisodes = (run: string, query: Choice & { reason?: string | null; order?: string; limit?: number; offset?: number }) =>
  getJson<EpisodeList>(at`runs/${run}/episodes`, query as Record<string, string>)

/** The last steps of many episodes in one answer. */
export async function loadClips(run: string, query: Choice & { reason?: string | null; order?: string; limit?: number; steps?: number }, signal?: AbortSignal): Promise<Clip[]> {
  const { header, data } = unpack<{ clips: ClipTold[]; channels: ChannelHeader[] }>(await getBinary(at`runs/${run}/episodes/clips`, query as Record<string, string>, signal), 'TWEP')
  return header.clips.map((told): Clip => {
    const channel = header.channels.find(({ name }) => name === told.key)
    return { ...told, qpos: channel ? { ...decode(channel, data), name: 'qpos' } : null }
  })
}

interface ClipTold extends EpisodeRow {
  scene: string | null
  physics: string | null
  step_s: number | null
}

export interface Clip extends ClipTold {
  qpos: Channel | null
}

export const extremes = (run: string, window: Window, signal?: AbortSignal) =>
  getJson<Record<'worst' | 'median' | 'best', EpisodeRow>>(at`runs/${run}/episodes/extremes`, { ...window }, signal)

export const evolution = (run: string) => getJson<EpisodeRow[]>(at`runs/${run}/episodes/evolution`)
