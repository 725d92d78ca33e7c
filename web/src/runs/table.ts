/** Which runs the table shows, and in which order. */
import type { RunRow } from '../messages'
import { state } from './run-words'

export type Column = 'name' | 'state' | 'return' | 'success' | 'progress' | 'speed' | 'left' | 'started'

/** Runs in which every word of the query occurs. */
export function matching(rows: readonly RunRow[], query: string): RunRow[] {
  const wanted = query.toLowerCase().split(/\s+/).filter(Boolean)
  return rows.filter((row) => {
    const text = [row.id, row.state, state(row.state), row.algorithm, row.environment, row.note, ...row.tags]
      .join(' ')
      .toLowerCase()
    return wanted.every((word) => text.includes(word))
  })
}

/** The largest, latest or most urgent first; what is not known comes last. */
export function sorted(rows: readonly RunRow[], column: Column): RunRow[] {
  if (column === 'name') return rows.toSorted((a, b) => a.id.localeCompare(b.id))
  const value = VALUES[column] ?? VALUES.started
  const of = (row: RunRow) => value(row) ?? -Infinity
  return rows.toSorted((a, b) => of(b) - of(a))
}

const URGENCY = ['unknown', 'finished', 'interrupted', 'damaged', 'failed', 'crashed', 'running', 'stalled']

const VALUES: Record<Exclude<Column, 'name'>, (row: RunRow) => number | null | undefined> = {
  state: (row) => URGENCY.indexOf(row.state),
  return: (row) => row.return_mean,
  success: (row) => row.success,
  progress: (row) => row.timesteps && row.planned && row.timesteps / row.planned,
  speed: (row) => (row.state === 'running' ? row.steps_per_s : null),
  left: (row) => row.left_s,
  started: (row) => row.created_unix,
}
