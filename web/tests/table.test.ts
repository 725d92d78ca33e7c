import { expect, test } from 'vitest'
import type { RunRow } from '../src/messages'
import { sparkPath } from '../src/runs/sparkline'
import { matching, sorted } from '../src/runs/table'

const row = (id: string, more: Partial<RunRow> = {}): RunRow => ({
  id, state: 'finished', error: null, created_unix: 0, seen_unix: null, timesteps: null, planned: null, steps_per_s: null,
  left_s: null, attempts: 1, num_envs: 12, algorithm: 'PPO', environment: 'Go1VecEnv', returns: [], return_mean: null, length_mean: null, success: null, checkpoints: 0, tags: [], note: '', ...more,
})

test('every word of a search must occur, anywhere', () => {
  const rows = [row('walk'), row('trot', { tags: ['good'] }), row('walk-2', { state: 'crashed' })]

  expect(matching(rows, 'walk crash').map((r) => r.id)).toEqual(['walk-2'])
  expect(matching(rows, 'GOOD ppo').map((r) => r.id)).toEqual(['trot'])
  expect(matching(rows, '  ')).toHaveLength(3)
})

test('what is not known comes last', () => {
  const rows = [row('a'), row('b', { timesteps: 5, planned: 10 }), row('c', { timesteps: 9, planned: 10 })]

  expect(sorted(rows, 'progress').map((r) => r.id)).toEqual(['c', 'b', 'a'])
})

test('a gap in a sparkline stays a gap', () => {
  expect(sparkPath([0, null, 1], 10, 10).match(/M/g)).toHaveLength(2)
})
