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
  /** How wide a bucket is; 0 where each value is one of its own. */
  step: number
  /** How many points the last bucket has been given since the curve was asked for. */
  taken: number
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
    const step = line || n < 2 ? 0 : ((x[n - 1] as number) - (x[0] as number)) / (n - 1)
    return { key: told.key, unit: told.unit ?? '', x, lo, hi, mean, line, bad: told.bad ?? [], breaks: told.breaks ?? [], step, taken: 0 }
  })
  return { at: head.at, curves }
}

/**
 * The curve with new points at its end. Where it is drawn in buckets, the last one takes points until it is
 * as wide as the others: the curve keeps its resolution, and grows no faster than the training.
 */
export function grown(curve: Curve, points: NewPoints): Curve {
  const x = Array.from(curve.x)
  const [lo, hi, mean] = [Array.from(curve.lo), Array.from(curve.hi), Array.from(curve.mean)]
  const bad = new Set(curve.bad)
  const isBad = new Set(points.bad)
  let { taken } = curve
  points.x.forEach((given, i) => {
    // Several may share a place: robots whose time is up at once, rows of which only the moment of their look is known.
    const place = Math.max(given, x.at(-1) ?? -Infinity)
    const value = points.mean[i] ?? NaN
    const [low, high] = [points.lo?.[i] ?? value, points.hi?.[i] ?? value]
    const last = x.length - 1
    const begun = x[last - 1]
    if (taken > 0 && begun !== undefined && place - begun <= curve.step) {
      x[last] = place
      lo[last] = least(lo[last] as number, low)
      hi[last] = most(hi[last] as number, high)
      if (!Number.isNaN(value)) mean[last] = Number.isNaN(mean[last] as number) ? value : ((mean[last] as number) * taken + value) / (taken + 1)
      taken++
    } else {
      x.push(place)
      lo.push(low)
      hi.push(high)
      mean.push(value)
      taken = 1
    }
    if (isBad.has(i)) bad.add(x.length - 1)
  })
  const line = curve.line && !points.lo
  const means = Float64Array.from(mean)
  return {
    ...curve,
    line,
    taken,
    x: Float64Array.from(x),
    mean: means,
    lo: line ? means : Float64Array.from(lo),
    hi: line ? means : Float64Array.from(hi),
    bad: [...bad],
  }
}

const least = (a: number, b: number) => (Number.isNaN(a) || b < a ? b : a)
const most = (a: number, b: number) => (Number.isNaN(a) || b > a ? b : a)

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
