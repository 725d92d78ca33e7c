/**
 * The address holds the whole view: `#/run/<id>/live?x=wall&smooth=0.6`.
 *
 * It lives in the fragment, so the page works under any prefix that a reverse proxy puts before it.
 */
import { computed, signal } from '@preact/signals'

export interface Route {
  page: string
  run: string | null
  /** What follows the page: `#/run/<id>/episode/001-a/3/17` has ['001-a', '3', '17']. */
  rest: string[]
  params: URLSearchParams
}

export function parseRoute(fragment: string): Route {
  const [path = '', query = ''] = split(fragment.replace(/^#\/?/, ''))
  const parts = path.split('/').filter(Boolean).map(decoded)
  const params = new URLSearchParams(query)
  if (parts[0] === 'run' && parts[1] !== undefined)
    return { page: parts[2] ?? 'live', run: parts[1], rest: parts.slice(3), params }
  return { page: parts[0] ?? 'runs', run: null, rest: parts.slice(1), params }
}

export function formatRoute(route: Route): string {
  const start = route.run === null ? [route.page] : ['run', route.run, route.page]
  const query = route.params.toString().replaceAll('%2C', ',').replaceAll('%2F', '/')
  return `#/${[...start, ...route.rest].map(encodeURIComponent).join('/')}${query && `?${query}`}`
}

function split(text: string): string[] {
  const at = text.indexOf('?')
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

export const route = signal<Route>(parseRoute(globalThis.location?.hash ?? ''))
globalThis.addEventListener?.('hashchange', () => (route.value = parseRoute(location.hash)))

/** Where a link to a page leads; what of the view holds for every page of a run comes along. */
export function href(page: string, run: string | null = null, params: Params = {}, rest: string[] = []): string {
  const query = new URLSearchParams()
  for (const [key, value] of Object.entries(params)) if (value) query.set(key, value)
  return formatRoute({ page, run, rest, params: query })
}

export type Params = Record<string, string | null | undefined>

/** Change parts of the view; `null` or '' takes a parameter away. */
export function setParams(changes: Params, how: 'replace' | 'push' = 'replace'): void {
  const params = new URLSearchParams(route.value.params)
  for (const [key, value] of Object.entries(changes)) {
    if (value) params.set(key, value)
    else params.delete(key)
  }
  const next = { ...route.value, params }
  history[how === 'push' ? 'pushState' : 'replaceState'](null, '', formatRoute(next))
  route.value = next
}

/** One parameter of the view, as a signal. */
export const param = (name: string, fallback = '') =>
  computed(() => route.value.params.get(name) ?? fallback)

export function go(address: string): void {
  location.hash = address
}
