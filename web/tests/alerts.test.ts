import { expect, test } from 'vitest'
import type { Alert } from '../src/messages'
import { details } from '../src/live/alert-details'

const crashed = (checkpoints: number): Alert => ({ run: 'a', kind: 'crashed', since_unix: 0, timestep: 800, facts: { checkpoints } })

test('a crash leads to a checkpoint where there is one, and only there', () => {
  expect(details(crashed(2))).toContain('the newest checkpoint goes on')
  expect(details(crashed(0))).toBe('the process is gone without a word, and before its first checkpoint')
})
