import { expect, test } from 'vitest'
import type { Curve } from '../src/charts/curve'
import { seedBand } from '../src/compare/bands'
import { shortNames } from '../src/compare/names'

const curve = (x: number[], mean: number[]): Curve => {
  const values = Float64Array.from(mean)
  return { key: 'k', unit: '', x: Float64Array.from(x), mean: values, lo: values, hi: values, line: true, bad: [], breaks: [], step: 0, taken: 0 }
}

test('seeds become their mean, between the least and the most of them, where all have come', () => {
  const band = seedBand('k', [curve([0, 50, 100], [1, 1, 1]), curve([10, 80], [3, 5])])!

  expect([band.x[0], band.x.at(-1)]).toEqual([10, 80])
  expect([band.lo[0], band.mean[0], band.hi[0]]).toEqual([1, 2, 3])
  expect([band.lo.at(-1), band.mean.at(-1), band.hi.at(-1)]).toEqual([1, 3, 5])
})

test('a run alone stays what it is, and none is nothing', () => {
  expect(seedBand('k', [curve([0, 1], [2, 4])])?.line).toBe(true)
  expect(seedBand('k', [])).toBeNull()
})

test('names in a legend are as short as they can be told apart', () => {
  const a = '2026-11-22_17-45-10-walk'
  const b = '2026-11-22_18-42-18-walk'
  const c = '2026-11-22_18-18-36-rough'

  expect([a, b, c].map(shortNames([a, b, c]))).toEqual(['walk 17:45:10', 'walk 18:42:18', 'rough'])
  expect(['mine', c].map(shortNames(['mine', c]))).toEqual(['mine', 'rough'])
  expect(['rough', c].map(shortNames(['rough', c]))).toEqual(['rough', 'rough 18:18:36'])
})
