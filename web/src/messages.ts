// Written by scripts/web-messages from src/trackway/dashboard/messages.py.

export type State = 'running' | 'stalled' | 'finished' | 'interrupted' | 'failed' | 'crashed' | 'damaged' | 'unknown'

/** A run in the list. */
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
  success: number | null
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
