import { beforeEach, describe, expect, test } from 'vitest'
import { tickLabels } from '../src/charts/plot'
import { bytes, compact, duration, figure } from '../src/shell/format'
import { language } from '../src/shell/words'

beforeEach(() => {
  language.value = 'en'
})

describe('numbers for people', () => {
  test.each([
    [0, '0'],
    [0.0012345, '0.00123'],
    [12.34, '12.3'],
    [1234.5, '1,235'],
    [-0.5, '−0.5'],
    [1.2e-7, '1.20e−7'],
    [NaN, 'NaN'],
    [Infinity, '∞'],
    [null, '–'],
  ])('figure(%s) is %s', (value, text) => expect(figure(value)).toBe(text))

  test.each([
    [950, '950'],
    [12_345, '12.3k'],
    [1_200_000, '1.2M'],
    [-3e9, '−3G'.replace('−', '-')],
  ])('compact(%s) is %s', (value, text) => expect(compact(value)).toBe(text))

  test.each([
    [42, '42 s'],
    [185, '3 min 05 s'],
    [7620, '2 h 07 min'],
    [273_600, '3 d 4 h'],
  ])('duration(%s) is %s', (value, text) => expect(duration(value)).toBe(text))

  test('time is told in Korean, too', () => {
    language.value = 'ko'
    expect(duration(185)).toBe('3분 05초')
  })

  test.each([
    [900, '900 B'],
    [1_500_000, '1.5 MB'],
  ])('bytes(%s) is %s', (value, text) => expect(bytes(value)).toBe(text))

  test('an axis tells its ticks apart', () => {
    expect(tickLabels([80.7e9, 80.75e9, null, 80.8e9], bytes)).toEqual(['80.7 GB', '80.75 GB', '', '80.8 GB'])
    expect(tickLabels([1.0001, 1.0002], figure)).toEqual(['1.0001', '1.0002'])
    expect(tickLabels([0, 20], figure)).toEqual(['0', '20'])
  })
})
