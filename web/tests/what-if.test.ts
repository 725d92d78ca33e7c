import { describe, expect, it } from 'vitest'
import { changesOf } from '../src/replay/what-if'

describe('what an address asks', () => {
  it.each([
    ['friction:0.3,mass:2', { friction: '0.3', mass: '2' }],
    ['push_y:0.8,push_s:1.2', { push_y: '0.8', push_s: '1.2' }],
    ['shoes:2,friction:much,policy:', null],
    ['policy:checkpoint_20250101_120000_2.zip,mass:2', { policy: 'checkpoint_20250101_120000_2.zip', mass: '2' }],
    [null, null],
  ])('%s', (text, changes) => {
    expect(changesOf(text)).toEqual(changes)
  })
})
