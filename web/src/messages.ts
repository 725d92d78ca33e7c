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
  tags: string[]
  notes: string
}

/** The return of a run's episodes, in few points. */
export interface Sparkline {
  id: string
  mean: (number | null)[]
  last: number | null
  success: number | null
}

/** Every run, newest first. */
export interface RunList {
  folder: string
  now_unix: number
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
