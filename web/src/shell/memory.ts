/** What this browser remembers between visits: language and theme, never anything of a run. */

export function remembered(name: string): string | null {
  try {
    return globalThis.localStorage?.getItem(`trackway.${name}`) ?? null
  } catch {
    return null // storage is forbidden here
  }
}

export function remember(name: string, value: string): void {
  try {
    globalThis.localStorage?.setItem(`trackway.${name}`, value)
  } catch {
    // The choice holds until the page is closed.
  }
}
