import { describe, expect, it } from 'vitest'
import { layerAt, stretchAt } from '../src/charts/pick'
import type { Drawing } from '../src/charts/plot'

const x = Float64Array.of(100, 200, 300, 500)

describe('a point of a curve', () => {
  it.each([
    [110, { from: 0, to: 150 }],
    [199, { from: 150, to: 250 }],
    [251, { from: 225, to: 375 }],
    [999, { from: 400, to: 600 }],
  ])('at %i stands for the training around it', (place, stretch) => {
    expect(stretchAt(x, place)).toEqual(stretch)
  })

  it('stands for nothing where there is none', () => {
    expect(stretchAt(new Float64Array(), 3)).toBeNull()
  })
})

describe('a share', () => {
  const layers = [
    { name: 'fell', from: Float64Array.of(0, 0), to: Float64Array.of(0.25, 0.5) },
    { name: 'time limit', from: Float64Array.of(0.25, 0.5), to: Float64Array.of(1, 1) },
  ]
  const drawing = { stack: { share: true, stack: { x: Float64Array.of(10, 20), layers } } } as unknown as Drawing

  it('is found by its height', () => {
    expect(layerAt(drawing, ['fell', 'time_limit'], 20, 0.4)).toBe('fell')
    expect(layerAt(drawing, ['fell', 'time_limit'], 10, 0.4)).toBe('time_limit')
    expect(layerAt(drawing, undefined, 10, 0.4)).toBeUndefined()
  })
})
