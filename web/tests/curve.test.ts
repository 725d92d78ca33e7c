import { describe, expect, test } from 'vitest'
import { grown, indexAt, readFrame, smoothed, type Curve } from '../src/charts/curve'
import { shared, stacked } from '../src/charts/stack'

const f64 = (...values: number[]) => Float64Array.from(values)
const curve = (more: Partial<Curve> = {}): Curve => ({
  key: 'episodes:return', unit: '', x: f64(10, 20, 30), mean: f64(1, 2, 3), lo: f64(0, 1, 2), hi: f64(2, 3, 4),
  line: false, bad: [], breaks: [], step: 10, taken: 0, ...more,
})

describe('a frame of the server', () => {
  test('is read as it was written', () => {
    const head = JSON.stringify({
      at: '3.0.0.0.0',
      curves: [
        { key: 'a', n: 2, from: 100, unit: 'm', line: false, bad: [1], breaks: [] },
        { key: 'b', n: 2, from: 100, unit: '', line: true, bad: [], breaks: [], same: 0 },
        { key: 'c', n: 0 },
      ],
    })
    const padded = head + ' '.repeat((4 - ((head.length + 4) % 4)) % 4)
    const floats = new Uint8Array(Float32Array.of(0, 5, /* lo */ 1, 2, /* hi */ 3, 4, /* mean */ 2, 3, /* b */ 7, 8).buffer)
    const bytes = new Uint8Array(4 + padded.length + floats.length)
    new DataView(bytes.buffer).setUint32(0, padded.length, true)
    bytes.set(new TextEncoder().encode(padded), 4)
    bytes.set(floats, 4 + padded.length)

    const { at, curves } = readFrame(bytes.buffer)

    expect(at).toBe('3.0.0.0.0')
    expect(curves[0]).toMatchObject({ x: f64(100, 105), lo: f64(1, 2), hi: f64(3, 4), mean: f64(2, 3), bad: [1], unit: 'm' })
    expect(curves[1]).toMatchObject({ x: f64(100, 105), mean: f64(7, 8), line: true })
    expect(curves[2]!.x).toHaveLength(0)
  })
})

describe('a growing curve', () => {
  test('puts new points into a bucket as wide as the others, and keeps its extremes', () => {
    let now = grown(curve(), { x: [32], mean: [5] })
    now = grown(now, { x: [36, 39], mean: [9, 1] })
    now = grown(now, { x: [41], mean: [6] })

    expect(now.x).toEqual(f64(10, 20, 30, 39, 41))
    expect([now.lo[3], now.mean[3], now.hi[3]]).toEqual([1, 5, 9])
    expect(now.mean[4]).toBe(6)
  })

  test('keeps the extremes of points that share a place, and never goes back', () => {
    const now = grown(curve(), { x: [35, 35, 34, 35], mean: [5, -9, 50, 5] })

    expect(now.x).toEqual(f64(10, 20, 30, 35))
    expect([now.lo[3], now.hi[3]]).toEqual([-9, 50])
    const line = grown(curve({ line: true, step: 0 }), { x: [35, 35], mean: [5, -9] })
    expect([Math.min(...line.lo), Math.max(...line.hi)]).toEqual([-9, 5])
  })

  test('keeps each value of a line, and learns when it becomes a band', () => {
    const line = curve({ line: true, step: 0 })

    expect(grown(line, { x: [31, 32], mean: [1, 2] }).x).toHaveLength(5)
    expect(grown(line, { x: [31], mean: [1], lo: [0], hi: [2] }).line).toBe(false)
  })

  test('marks a NaN and goes on', () => {
    const now = grown(curve(), { x: [31, 45, 60], mean: [null, 2, 3], bad: [0] })

    expect(now.bad).toEqual([3])
    expect(now.mean[3]).toBeNaN()
    expect(now.mean[5]).toBe(3)
  })
})

test('smoothing averages the line, starts at the first value, and skips what is no number', () => {
  const shown = smoothed(f64(4, NaN, 0, 0), 0.5)

  expect(shown[0]).toBe(4)
  expect(shown[1]).toBeNaN()
  expect(shown[2]).toBeCloseTo(4 / 3)
  expect(smoothed(f64(1, 2), 0)).toEqual(f64(1, 2))
})

test('a place lies in the bucket that ends at or after it', () => {
  expect([5, 10, 11, 99].map((place) => indexAt(f64(10, 20, 30), place))).toEqual([0, 0, 1, 2])
})

test('what is negative hangs down, and the total is what remains', () => {
  const { layers, total, low, high } = stacked(f64(1, 2), [
    { name: 'a', values: f64(3, 1) },
    { name: 'b', values: f64(-1, 2) },
  ])

  expect(layers[1]).toMatchObject({ from: f64(0, 1), to: f64(-1, 3) })
  expect(total).toEqual(f64(2, 3))
  expect([low, high]).toEqual([-1, 3])
})

test('shares of nothing are nothing, and of something add up to one', () => {
  const { layers } = shared(f64(1, 2), [
    { name: 'a', values: f64(0, 1) },
    { name: 'b', values: f64(0, 3) },
  ])

  expect(layers[1]!.to).toEqual(f64(0, 1))
})
