/** Where episodes come from: the server, or the page itself where it was shared as one file. */
import type { Columns, Episode } from './episode'
import { gaitOf, type FootGait } from './gait'
import { shaped, type Scene } from './scene'
import { track, type Track } from './track'

/** An episode ready to be shown. */
export interface Loaded {
  episode: Episode
  /** As it was randomised; null: there is nothing to draw. */
  scene: Scene | null
  track: Track | null
  gait: FootGait[]
  /** Fetch further columns into the episode. */
  more: (names: string[]) => Promise<void>
}

export function loaded(episode: Episode, plain: Scene | null, columns: (names: string[]) => Promise<Columns>): Loaded {
  const scene = plain && shaped(plain, episode.facts.shape)
  const asked = new Map<string, Promise<void>>()
  return {
    episode,
    scene,
    track: scene && episode.qpos ? track(scene, episode) : null,
    gait: gaitOf(episode),
    more: async (names) => {
      const missing = names.filter((name) => !episode.columns.has(name) && !asked.has(name))
      if (missing.length) {
        const coming = columns(missing).then((found) => {
          for (const [name, channel] of found) episode.columns.set(name, channel)
        })
        for (const name of missing) asked.set(name, coming)
        coming.catch(() => missing.forEach((name) => asked.delete(name)))
      }
      await Promise.all(names.map((name) => asked.get(name)))
    },
  }
}
