/** An episode: facts, and columns by name. */
import type { EpisodeRow } from '../messages'
import { unpack } from './container'
import { decode, type Channel, type ChannelHeader } from './quantised'
import type { Shape } from './scene'

export type { EpisodeRow }

export interface Limit {
  name: string
  unit: string
  qpos?: number
  body?: string
  axis?: number[]
  low?: number
  high?: number
}

export interface FieldTold {
  name: string
  unit: string
  shape: number[]
  description: string
  labels: string[]
}

export interface Override {
  field: string
  of: string
  index: number
  part: number | null
  value: number
  scene: number | null
}

export interface Foot {
  name: string
  field: string
  column: number
  geom: number
}

export interface Facts extends EpisodeRow {
  step_s: number | null
  steps: number
  scene: string | null
  physics: string | null
  problem: string | null
  limits: Limit[]
  rand_power: number | null
  overrides: Override[]
  shape: Shape
  feet: Foot[]
  fields: FieldTold[]
  /** Of one that was simulated: its first step that is different, and whether it came there by itself to the bit. */
  simulated?: { step: number; exact: boolean }
}

interface Header {
  facts?: Facts
  channels: ChannelHeader[]
}

export type Columns = Map<string, Channel>

export class Episode {
  /** Seconds of every frame since the start; frames are states, one more than steps where the start is known. */
  readonly times: Float64Array
  readonly stepS: number

  constructor(
    readonly facts: Facts,
    readonly columns: Columns,
  ) {
    this.stepS = facts.step_s ?? 0.02
    const frame = columns.get('frame')
    this.times = Float64Array.from(frame?.values ?? [], (step) => step * this.stepS)
  }

  get frames(): number {
    return this.times.length
  }

  get duration(): number {
    return this.times[this.frames - 1] ?? 0
  }

  get qpos(): Channel | undefined {
    return this.columns.get('qpos')
  }

  /** The frame that is shown at a time: the latest state not after it. */
  frameAt(seconds: number): number {
    let [low, high] = [0, this.frames - 1]
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.times[middle]! <= seconds + 1e-9) low = middle
      else high = middle - 1
    }
    return Math.max(0, low)
  }

  /** Where the values of a frame begin in a channel; -1 where there are none: before the first step. */
  at(channel: Channel, frame: number): number {
    const row = frame - (this.frames - channel.count)
    return row < 0 ? -1 : row * channel.width
  }

  value(name: string, frame: number, component = 0): number {
    const channel = this.columns.get(name)
    if (!channel) return NaN
    const at = this.at(channel, frame)
    return at < 0 ? NaN : channel.values[at + component]!
  }
}

export function readColumns(buffer: ArrayBuffer): { facts: Facts | undefined; columns: Columns } {
  const { header, data } = unpack<Header>(buffer, 'TWEP')
  return {
    facts: header.facts,
    columns: new Map(header.channels.map((told) => [told.name, decode(told, data)])),
  }
}

export function openEpisode(buffer: ArrayBuffer): Episode {
  const { facts, columns } = readColumns(buffer)
  if (!facts) throw new Error('this is no episode: it holds columns alone')
  return new Episode(facts, columns)
}
