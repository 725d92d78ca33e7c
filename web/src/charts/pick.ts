/** From a point of a curve to the episodes behind it. */
import { go, href, route } from '../shell/route'
import { indexAt } from './curve'
import type { Drawing } from './plot'

/** The stretch of training that a point stands for: half way to its neighbours. */
export function stretchAt(x: Float64Array, place: number): { from: number; to: number } | null {
  const near = indexAt(x, place)
  if (near < 0) return null
  const i = near > 0 && place - x[near - 1]! < x[near]! - place ? near - 1 : near
  const [before, here, after] = [x[i - 1], x[i]!, x[i + 1]]
  const half = ((after ?? here) - (before ?? here)) / (before !== undefined && after !== undefined ? 4 : 2)
  return { from: Math.max(0, Math.floor(before === undefined ? 0 : here - half)), to: Math.ceil(here + half) }
}

/** Open the median episode of the stretch; of a share of reasons, the gallery of those that ended so. */
export function showEpisodes({ x, lines, stack }: Drawing, place: number, reason?: string): void {
  const { run } = route.value
  const places = stack?.stack.x ?? lines[0]?.curve.x
  // Only timesteps are known to the episodes of every attempt.
  if (run === null || x !== 'timestep' || !places?.length) return
  const stretch = stretchAt(places, place)
  if (!stretch) return
  const window = { from: String(stretch.from), to: String(stretch.to) }
  go(reason ? href('gallery', run, { ...window, reason }) : href('episode', run, window, ['median']))
}

/** Which layer of a stack lies at this height. */
export function layerAt({ stack }: Drawing, keys: string[] | undefined, place: number, height: number): string | undefined {
  if (!stack?.share || !keys) return undefined
  const i = indexAt(stack.stack.x, place)
  const found = stack.stack.layers.findIndex(({ from, to }) => height >= from[i]! && height <= to[i]!)
  return keys[found]
}
