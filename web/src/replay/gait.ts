/** What feet do: when each stands, for how long, how often. */
import type { Episode } from './episode'
import { stands } from './track'

export interface FootGait {
  name: string
  /** Stretches of standing, seconds from and to. */
  stances: [from: number, to: number][]
  /** Part of the time that it stands. */
  duty: number
  /** Strides in a second, from the first touchdown to the last; NaN with fewer than two. */
  frequency: number
}

/** A foot that is off the ground for less bounces on its sole: no stride. As `go1.evaluation` counts. */
const BOUNCE_S = 0.1

export function gaitOf(episode: Episode): FootGait[] {
  return episode.facts.feet.map((foot, k) => {
    const stances: [number, number][] = []
    let began = -1
    for (let f = 0; f <= episode.frames; f++) {
      const down = f < episode.frames && stands(episode, k, f)
      if (down && began < 0) began = f
      if (!down && began >= 0) {
        stances.push([episode.times[began]!, episode.times[Math.min(f, episode.frames - 1)]!])
        began = -1
      }
    }
    const standing = stances.reduce((sum, [from, to]) => sum + to - from, 0)
    const touchdowns = stances.flatMap(([from], i) => (i && from - stances[i - 1]![1] > BOUNCE_S - 1e-6 ? from : []))
    const span = touchdowns.length > 1 ? touchdowns.at(-1)! - touchdowns[0]! : NaN
    return {
      name: foot.name,
      stances,
      duty: standing / (episode.duration || 1),
      frequency: (touchdowns.length - 1) / span,
    }
  })
}

/** When the first foot touches down after it was lifted, s; 0 where none is. */
export function firstTouchdown(gait: FootGait[], stepS: number): number {
  const times = gait.flatMap(({ stances }) => stances.map(([from]) => from).filter((time) => time > 1.5 * stepS))
  return times.length ? Math.min(...times) : 0
}
