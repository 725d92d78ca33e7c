import { describe, expect, it, test } from 'vitest'
import { addressOf, changesOf } from '../src/replay/what-if'

describe('what an address asks', () => {
  it.each([
    ['friction:0.3,mass:2', { friction: '0.3', mass: '2' }],
    ['push_y:0.8,push_s:1.2', { push_y: '0.8', push_s: '1.2' }],
    ['from:1.24,policy:best_model.zip', { from: '1.24', policy: 'best_model.zip' }],
    ['friction:99,from:-1', { friction: '10', from: '0' }],
    ['shoes:2,friction:much,policy:', null],
    ['policy:checkpoint_20250101_120000_2.zip,mass:2', { policy: 'checkpoint_20250101_120000_2.zip', mass: '2' }],
    [null, null],
  ])('%s', (text, changes) => {
    expect(changesOf(text)).toEqual(changes)
  })
})

test('an address holds what is different, and the moment', () => {
  const changes = { from: '1.24', friction: '0.3', mass: '0', policy: 'best_model.zip' }
  expect(addressOf(changes)).toBe('from:1.24,friction:0.3,policy:best_model.zip')
  expect(changesOf(addressOf({}))).toEqual({ friction: '1' })
})
