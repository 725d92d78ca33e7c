import { describe, expect, test } from 'vitest'
import { formatRoute, href, parseRoute } from '../src/shell/route'

describe('the address', () => {
  test('names a page of all runs', () => {
    expect(parseRoute('#/compare?runs=a,b')).toMatchObject({ page: 'compare', run: null })
    expect(parseRoute('')).toMatchObject({ page: 'runs', run: null })
  })

  test('names a run, whatever letters it has', () => {
    const run = 'a run/with? #everything%20 달리기'
    const route = parseRoute(href('live', run, { x: 'wall' }))

    expect(route).toMatchObject({ page: 'live', run })
    expect(route.params.get('x')).toBe('wall')
  })

  test('comes out as it went in', () => {
    for (const address of ['#/runs', '#/run/a/live?x=wall&runs=a,b', '#/run/a/episode/001-a/3/17'])
      expect(formatRoute(parseRoute(address))).toBe(address)
  })

  test('survives being cut in the middle of a letter', () => {
    expect(parseRoute('#/run/%E0%A4%A/live')).toMatchObject({ page: 'live', run: '%E0%A4%A' })
  })
})
