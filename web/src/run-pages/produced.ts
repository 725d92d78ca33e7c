/** Which episodes a model's policy acted in. */
import type { CheckpointRow } from '../messages'

export interface Produced {
  from: number
  to: number
  /** Nothing was trained after it: these are the episodes before it. */
  last: boolean
}

/**
 * From a model's timestep to that of the next; of the last one, those from the model before it on.
 *
 * A policy is updated between two checkpoints as well: those soon after it are the most its own.
 */
export function producedBy(row: CheckpointRow, rows: readonly CheckpointRow[]): Produced | null {
  if (row.timestep === null) return null
  const here = row.timestep
  const others = rows.flatMap(({ timestep }) => (timestep === null ? [] : [timestep]))
  const later = others.filter((timestep) => timestep > here)
  if (later.length) return { from: here, to: Math.min(...later), last: false }
  const earlier = others.filter((timestep) => timestep < here)
  return { from: Math.max(0, ...earlier), to: here, last: true }
}
