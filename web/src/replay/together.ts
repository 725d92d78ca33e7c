/** Several episodes in one view, set to begin at the same place, looking the same way. */
import { firstTouchdown } from './gait'
import { t } from './replay-words'
import type { Loaded } from './source'
import type { Shift } from './stage'
import { sizeOf } from './track'
import { GHOSTS, type Part } from './viewer'

/**
 * The first is looked at, the others are its ghosts.
 *
 * @param align 'start', or 'touchdown': begin where the first foot comes down.
 * @param apart Lengths of the robot between them; 0: one through the other.
 * @param ghostly Whether the others are drawn as ghosts.
 * @param labels What they are called; else by their numbers.
 */
export function together(all: Loaded[], align: string, apart: number, ghostly = true, labels: string[] = []): Part[] {
  const begin = ({ gait, episode }: Loaded) => (align === 'touchdown' ? firstTouchdown(gait, episode.stepS) : 0)
  const lead = all[0]!
  return all.map((loaded, i): Part => {
    const label = labels[i] ?? `#${loaded.episode.facts.number}`
    if (i === 0) return { loaded, label }
    const aside = apart * (i % 2 ? (i + 1) / 2 : -i / 2) * Math.max(0.4, (loaded.scene ? sizeOf(loaded.scene) : 1) * 0.9)
    // What is the same episode until something differs began where that one did.
    if (loaded.episode.facts.simulated) return { loaded, label: t('ifTitle'), tint: GHOSTS[(i - 1) % GHOSTS.length]!, shift: shiftOf(lead, 0, loaded, 0, aside) }
    const look = ghostly ? { tint: GHOSTS[(i - 1) % GHOSTS.length]! } : { bare: true }
    return { loaded, label, ...look, shift: shiftOf(lead, begin(lead), loaded, begin(loaded), aside), offset: begin(loaded) - begin(lead) }
  })
}

function shiftOf(lead: Loaded, leadS: number, own: Loaded, ownS: number, aside: number): Shift {
  const [a, b] = [standing(lead, leadS), standing(own, ownS)]
  const yaw = a.yaw - b.yaw
  const [c, s] = [Math.cos(yaw), Math.sin(yaw)]
  return {
    yaw,
    x: a.x - (c * b.x - s * b.y) - aside * Math.sin(a.yaw),
    y: a.y - (s * b.x + c * b.y) + aside * Math.cos(a.yaw),
  }
}

function standing({ track, episode }: Loaded, seconds: number): { x: number; y: number; yaw: number } {
  if (!track?.frames) return { x: 0, y: 0, yaw: 0 }
  const i = 3 * episode.frameAt(seconds)
  return { x: track.rootPos[i]!, y: track.rootPos[i + 1]!, yaw: Math.atan2(track.heading[i + 1]!, track.heading[i]!) }
}
