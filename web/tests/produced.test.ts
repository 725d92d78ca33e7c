import { describe, expect, it } from 'vitest'
import type { CheckpointRow } from '../src/messages'
import { producedBy } from '../src/run-pages/produced'

const rows = [null, 3000, 3000, 2000, 1000].map((timestep) => ({ timestep }) as CheckpointRow)

describe('the episodes that a checkpoint produced', () => {
  it('are those from its timestep to that of the next', () => {
    expect(producedBy(rows[4]!, rows)).toEqual({ from: 1000, to: 2000, last: false })
    expect(producedBy(rows[3]!, rows)).toEqual({ from: 2000, to: 3000, last: false })
  })
  it('are of the last one those before it, for nothing was trained after it', () => {
    expect(producedBy(rows[1]!, rows)).toEqual({ from: 2000, to: 3000, last: true })
    expect(producedBy(rows[4]!, rows.slice(4))).toEqual({ from: 0, to: 1000, last: true })
  })
  it('are not known where a model does not tell its timestep', () => {
    expect(producedBy(rows[0]!, rows)).toBeNull()
  })
})
