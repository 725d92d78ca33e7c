// Written by scripts/web-messages from src/trackway/dashboard/messages.py.

export type State = 'running' | 'stalled' | 'finished' | 'interrupted' | 'failed' | 'crashed' | 'damaged' | 'unknown'

/** A run in the list; `return_mean`, `length_mean` and `success` are of its last 100 episodes. */
export interface RunRow {
  id: string
  state: 'running' | 'stalled' | 'finished' | 'interrupted' | 'failed' | 'crashed' | 'damaged' | 'unknown'
  error: string | null
  created_unix: number | null
  seen_unix: number | null
  timesteps: number | null
  planned: number | null
  steps_per_s: number | null
  left_s: number | null
  attempts: number
  num_envs: number | null
  algorithm: string | null
  environment: string | null
  returns: (number | null)[]
  return_mean: number | null
  length_mean: number | null
  success: number | null
  checkpoints: number
  tags: string[]
  note: string
}

/** Every run, newest first. */
export interface RunList {
  folder: string
  runs: RunRow[]
}

export interface EpisodeRow {
  key: string
  number: number
  attempt: string
  env: number
  episode: number
  ended: boolean
  timestep: number | null
  unix_s: number | null
  return: number | null
  length: number
  reason: string | null
  success: boolean | null
  rewards: Record<string, number>
  costs: Record<string, number>
}

/** Episodes of a window, and how many ended for which reason. */
export interface EpisodeList {
  total: number
  reasons: Record<string, number>
  episodes: EpisodeRow[]
}

/** A number that can be drawn; `numbers` of them where it is an array. */
export interface FieldInfo {
  stream: string
  name: string
  unit: string
  description: string
  numbers: number
}

/** One moment on every axis. */
export interface Places {
  timestep: number
  time: number
  update: number
  episode: number
}

/** Something that happened: an event, a checkpoint, the beginning of an attempt. */
export interface Marker {
  kind: string
  at: Places
  facts: Record<string, unknown>
}

/** What a run is, and what can be drawn of it. */
export interface Overview {
  row: RunRow
  fields: FieldInfo[]
  markers: Marker[]
  reasons: string[]
  num_envs: number
  episodes: number
  updates: number
}

/** How many episodes ended for each reason, in stretches of the axis. */
export interface Shares {
  x: number[]
  reasons: Record<string, number[]>
}

/** Why episodes ended, by environment or by what was asked of the robot. */
export interface ReasonTable {
  reasons: string[]
  total: number[]
  by_env: number[][]
  commands: string[]
  by_command: number[][][]
  edges: number[][]
}

/** A model file of a run. */
export interface CheckpointRow {
  name: string
  kind: 'checkpoint' | 'best' | 'final'
  timestep: number | null
  made_unix: number
  size_bytes: number
  return_mean: number | null
  algorithm: string | null
  verified: boolean | null
  exact: boolean
  lacks: string[]
  error: string | null
  resume: string
  fork: string
}

/** A model whose policy may drive an episode. */
export interface PolicyRow {
  name: string
  kind: 'checkpoint' | 'best' | 'final'
  timestep: number | null
}

/** Whose policies may drive an episode, and whether the server was allowed to let them. */
export interface Policies {
  allowed: boolean
  policies: PolicyRow[]
}

/** How a stream is kept. */
export interface StreamHealth {
  attempt: string
  stream: string
  kind: string
  rows: number
  size_bytes: number
  segments: number
  parts: number
  recording: boolean
  waiting: number
  lost: number
  waits: number
  waited_s: number
  failing: string | null
  checking: boolean
  verified: boolean | null
  faults: string[]
}

/** What a kind of file takes on the disk. */
export interface Place {
  name: string
  files: number
  size_bytes: number
}

/** A place that the run is shipped to. */
export interface Store {
  name: string
  epoch: string
  files: number
  size_bytes: number
  told_unix: number
}

/** How a run is kept. */
export interface Health {
  streams: StreamHealth[]
  places: Place[]
  size_bytes: number
  disk_free_bytes: number
  bytes_per_s: number | null
  days_left: number | null
  needed_bytes: number | null
  lag_ms: number | null
  waited_share: number | null
  stores: Store[]
  verify: string
}

/** One setting or circumstance of a run. */
export interface Fact {
  section: string
  key: string
  value: string
}

/** A mean with the interval in which it lies in 95 of 100 cases. */
export interface Figure {
  mean: number
  low: number
  high: number
  n: number
}

/** One figure of several runs. */
export interface FigureRow {
  name: string
  values: (Figure | null)[]
}

/** A setting that is not the same in all runs. */
export interface Difference {
  key: string
  values: (string | null)[]
}

/** Several runs beside each other; runs of one group differ by their seed alone. */
export interface Comparison {
  rows: RunRow[]
  groups: number[]
  differs: Difference[]
  same: number
  figures: FigureRow[]
}

/** How a number in a stretch differs from before it; `effect` in standard deviations. */
export interface Change {
  kind: 'component' | 'episode' | 'learner' | 'curriculum' | 'command' | 'machine'
  key: string
  before: number
  during: number
  effect: number
}

/** How often episodes ended for a reason, as shares. */
export interface ReasonChange {
  reason: string
  before: number
  during: number
  effect: number
}

/** What changed in a stretch against as long a stretch before it. */
export interface Explanation {
  before: [number, number]
  during: [number, number]
  episodes_before: number
  episodes_during: number
  changes: Change[]
  reasons: ReasonChange[]
  markers: Marker[]
}

export type AlertKind = 'not_finite' | 'collapse' | 'kl' | 'stalled' | 'crashed' | 'disk' | 'lost_rows' | 'diverged'

/** Something about a run that wants looking at. */
export interface Alert {
  run: string
  kind: 'not_finite' | 'collapse' | 'kl' | 'stalled' | 'crashed' | 'disk' | 'lost_rows' | 'diverged'
  since_unix: number
  timestep: number | null
  facts: Record<string, unknown>
}
