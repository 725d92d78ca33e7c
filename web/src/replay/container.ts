/** A JSON header and the bytes it speaks of; docs/reference/replay-format.md is the specification. */

export interface Opened<H> {
  header: H
  data: DataView
}

/** @throws Error when it is something else, or of a later version. */
export function unpack<H>(buffer: ArrayBuffer, magic: 'TWSC' | 'TWEP'): Opened<H> {
  const view = new DataView(buffer)
  const found = String.fromCharCode(...new Uint8Array(buffer, 0, Math.min(4, buffer.byteLength)))
  if (buffer.byteLength < 12 || found !== magic) throw new Error(`this does not begin with ${magic}`)
  const version = view.getUint16(4, true)
  if (version > 1) throw new Error(`this is of version ${version}: update Trackway to read it`)
  const size = view.getUint32(8, true)
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 12, size))) as H
  return { header, data: new DataView(buffer, 12 + size) }
}

export interface ArrayAt {
  at: number
  dtype: string
  shape: number[]
}

const KINDS = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  float32: Float32Array,
} as const

/** An array of the data; a copy, so that nothing hangs on the whole file. */
export function arrayAt<K extends keyof typeof KINDS>(data: DataView, told: ArrayAt, dtype: K) {
  if (told.dtype !== dtype) throw new Error(`an array is ${told.dtype}, not ${dtype}`)
  const kind = KINDS[dtype]
  const length = told.shape.reduce((a, b) => a * b, 1)
  const start = data.byteOffset + told.at
  const bytes = data.buffer.slice(start, start + length * kind.BYTES_PER_ELEMENT) as ArrayBuffer
  return new kind(bytes) as InstanceType<(typeof KINDS)[K]>
}
