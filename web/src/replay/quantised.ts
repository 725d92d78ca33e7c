/** Columns as they travel: rounded, predicted, cut into byte planes; see docs/reference/replay-format.md. */

export interface ChannelHeader {
  name: string
  count: number
  shape: number[]
  step: number | number[]
  order: number
  planes: number
  lost: [component: number, first: number, count: number][]
  at: number
  lead?: number
}

/** A column: row i, component c lies at `i * width + c`. */
export interface Channel {
  name: string
  count: number
  width: number
  /** Rows before the first step: 1 where the state of the start is among them. */
  lead: number
  values: Float64Array
}

export function decode(header: ChannelHeader, data: DataView): Channel {
  const { count, planes, order, step } = header
  const width = header.shape.reduce((a, b) => a * b, 1)
  const bytes = new Uint8Array(data.buffer, data.byteOffset + header.at, planes * width * count)
  const values = new Float64Array(count * width)
  for (let c = 0; c < width; c++) {
    const unit = typeof step === 'number' ? step : (step[c] ?? 1)
    let first = 0 // the last sum of differences, and of their differences
    let second = 0
    for (let i = 0; i < count; i++) {
      let folded = 0
      for (let p = 0; p < planes; p++) folded += (bytes[(p * width + c) * count + i] ?? 0) * 2 ** (8 * p)
      const difference = folded % 2 ? -(folded - 1) / 2 - 1 : folded / 2
      if (order === 2) first += second += difference
      else if (order === 1) first += difference
      else first = difference
      values[i * width + c] = first * unit
    }
  }
  for (const [c, first, length] of header.lost)
    for (let i = first; i < first + length; i++) values[i * width + c] = NaN
  return { name: header.name, count, width, lead: header.lead ?? 0, values }
}
