/** Runs that differ by their seed alone, as one band. */
import { indexAt, type Curve } from '../charts/curve'

const POINTS = 200

/**
 * The mean of several curves, between the least and the most of their means, over the stretch that all of them
 * reach. A curve stands for its place until its next bucket.
 */
export function seedBand(key: string, curves: readonly Curve[]): Curve | null {
  const drawn = curves.filter((curve) => curve.x.length)
  if (!drawn.length) return null
  const from = Math.max(...drawn.map((curve) => curve.x[0] as number))
  const to = Math.min(...drawn.map((curve) => curve.x.at(-1) as number))
  if (!(from < to)) return drawn[0] as Curve
  const x = Float64Array.from({ length: POINTS }, (_, i) => from + ((to - from) * i) / (POINTS - 1))
  const columns = drawn.map((curve) => x.map((place) => curve.mean[indexAt(curve.x, place)] ?? NaN))
  const over = (reduce: (values: number[]) => number) =>
    x.map((_, i) => {
      const known = columns.map((column) => column[i] as number).filter(Number.isFinite)
      return known.length ? reduce(known) : NaN
    })
  return {
    key,
    unit: drawn[0]?.unit ?? '',
    x,
    mean: over((values) => values.reduce((sum, value) => sum + value, 0) / values.length),
    lo: over((values) => Math.min(...values)),
    hi: over((values) => Math.max(...values)),
    line: drawn.length === 1,
    bad: [],
    breaks: [],
    step: 0,
    taken: 0,
  }
}
