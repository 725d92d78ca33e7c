/** Curves as they come from the server, and how they grow. */

export interface Curve {
  key: string
  unit: string
  /** Where each bucket ends on the axis, rising. */
  x: Float64Array
  mean: Float64Array
  /** Extremes of each bucket; the mean itself where a bucket is one value. */
  lo: Float64Array
  hi: Float64Array
  /** Whether every bucket is one value. */
  line: boolean
  /** Indices of buckets that held a NaN or an infinity. */
  bad: number[]
  /** Indices at which another attempt begins. */
  breaks: number[]
}

/** What a server-sent event appends to a curve. */
export interface NewPoints {
  x: number[]
  mean: (number | null)[]
  lo?: (number | null)[]
  hi?: (number | null)[]
  bad?: number[]
}

export interface Frame {
  /** How far the run is drawn with this: the id from which live events go on. */
  at: string
  curves: Curve[]
}

interface Told {
  key: string
  n: number
  from?: number
  unit?: string
  line?: boolean
  bad?: number[]
  breaks?: number[]
  same?: number
}

/** Reads a frame of `/curves`; `src/trackway/dashboard/curves.py` draws its layout. */
export function readFrame(bytes: ArrayBuffer): Frame {
  const size = new DataView(bytes).getUint32(0, true)
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, size))) as { at: string; curves: Told[] }
  let offset = 4 + size
  const take = (n: number): Float32Array => {
    const part = new Float32Array(bytes, offset, n)
    offset += 4 * n
    return part
  }
  const places: Float64Array[] = []
  const curves = head.curves.map((told): Curve => {
    const { n, from = 0, same, line = true } = told
    const x = same === undefined ? Float64Array.from(take(n), (place) => from + place) : (places[same] ?? new Float64Array())
    places.push(x)
    const first = Float64Array.from(take(n))
    const [lo, hi, mean] = line ? [first, first, first] : [first, Float64Array.from(take(n)), Float64Array.from(take(n))]
    return { key: told.key, unit: told.unit ?? '', x, lo, hi, mean, line, bad: told.bad ?? [], breaks: told.breaks ?? [] }
  })
  return { at: head.at, curves }
}

const numbers = (values: readonly (number | null)[]) => Float64Array.from(values, (value) => value ?? NaN)

function joined(a: Float64Array, b: Float64Array): Float64Array {
  const all = new Float64Array(a.length + b.length)
  all.set(a)
  all.set(b, a.length)
  return all
}

/** The curve with new points at its end. */
export function grown(curve: Curve, points: NewPoints): Curve {
  // What the first question already answered may come once more.
  const last = curve.x.at(-1) ?? -Infinity
  const skip = points.x.findIndex((x) => x > last)
  if (skip < 0) return curve
  const part = <T,>(values: T[]) => values.slice(skip)
  const mean = numbers(part(points.mean))
  const lo = points.lo ? numbers(part(points.lo)) : mean
  const hi = points.hi ? numbers(part(points.hi)) : mean
  const line = curve.line && !points.lo
  const means = joined(curve.mean, mean)
  return {
    ...curve,
    line,
    x: joined(curve.x, Float64Array.from(part(points.x))),
    mean: means,
    lo: line ? means : joined(curve.lo, lo),
    hi: line ? means : joined(curve.hi, hi),
    bad: [...curve.bad, ...(points.bad ?? []).filter((i) => i >= skip).map((i) => i - skip + curve.x.length)],
  }
}

/**
 * An exponential mean of the means, without the pull towards 0 at the beginning. `strength` 0 leaves the
 * curve as it is; near 1 it averages over most of what is drawn. The extremes are never smoothed.
 */
export function smoothed(mean: Float64Array, strength: number): Float64Array {
  if (strength <= 0) return mean
  let sum = 0
  let weight = 0
  return mean.map((value) => {
    if (Number.isNaN(value)) return NaN
    sum = sum * strength + value * (1 - strength)
    weight = weight * strength + (1 - strength)
    return sum / weight
  })
}

/** The last value that is a number. */
export function lastOf(values: Float64Array): number | null {
  for (let i = values.length - 1; i >= 0; i--) if (Number.isFinite(values[i])) return values[i] as number
  return null
}

/** The index of the bucket that holds a place on the axis; -1 before the first. */
export function indexAt(x: Float64Array, place: number): number {
  let low = 0
  let high = x.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((x[middle] as number) < place) low = middle + 1
    else high = middle
  }
  return Math.min(low, x.length - 1)
}
