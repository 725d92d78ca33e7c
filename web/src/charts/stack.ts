/** Areas upon each other: what is positive piles up from 0, what is negative hangs down from it. */

export interface Layer {
  name: string
  from: Float64Array
  to: Float64Array
}

export interface Stack {
  x: Float64Array
  layers: Layer[]
  /** Everything together, at each place. */
  total: Float64Array
  low: number
  high: number
}

export function stacked(x: Float64Array, parts: readonly { name: string; values: Float64Array }[]): Stack {
  const up = new Float64Array(x.length)
  const down = new Float64Array(x.length)
  const layers = parts.map(({ name, values }): Layer => {
    const from = new Float64Array(x.length)
    const to = new Float64Array(x.length)
    for (let i = 0; i < x.length; i++) {
      const value = values[i] ?? NaN
      const pile = value < 0 ? down : up
      from[i] = pile[i] as number
      if (Number.isFinite(value)) pile[i] = (pile[i] as number) + value
      to[i] = pile[i] as number
    }
    return { name, from, to }
  })
  const total = up.map((value, i) => value + (down[i] as number))
  return { x, layers, total, low: least(down), high: most(up) }
}

/** Shares of a whole: every place adds up to 1. */
export function shared(x: Float64Array, parts: readonly { name: string; values: Float64Array }[]): Stack {
  const sums = x.map((_, i) => parts.reduce((sum, part) => sum + (part.values[i] ?? 0), 0))
  return stacked(
    x,
    parts.map(({ name, values }) => ({ name, values: values.map((value, i) => value / (sums[i] || 1)) })),
  )
}

const least = (values: Float64Array) => values.reduce((low, value) => Math.min(low, value), 0)
const most = (values: Float64Array) => values.reduce((high, value) => Math.max(high, value), 0)
