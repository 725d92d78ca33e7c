/** The keyboard: every page says which keys it has, and `?` lists what holds at the moment. */
import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'

export interface Key {
  /** As `KeyboardEvent.key`, or two in a row: 'g r'. */
  key: string
  says: () => string
  act: () => void
}

export const keys = signal<readonly Key[]>([])
let first = ''

export function useKeys(own: readonly Key[]): void {
  useEffect(() => {
    keys.value = [...keys.value, ...own]
    return () => {
      keys.value = keys.value.filter((key) => !own.includes(key))
    }
  }, own.map((key) => key.key))
}

const typing = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName))

/** Space and Enter belong to the button or link that has the focus. */
const presses = (event: KeyboardEvent): boolean =>
  (event.key === ' ' || event.key === 'Enter') && event.target instanceof Element && event.target.closest('a, button, summary') !== null

export function handleKey(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || presses(event)) return
  // A dialog has its own keys; what lies behind it can't be reached.
  if (document.querySelector('dialog[open]')) return
  if (typing(event.target)) {
    if (event.key === 'Escape') (event.target as HTMLElement).blur()
    return
  }
  const pressed = first ? `${first} ${event.key}` : event.key
  // The latest holds: a page's key goes before the shell's.
  const found = keys.value.findLast((key) => key.key === pressed)
  const opens = !first && keys.value.some((key) => key.key.startsWith(`${event.key} `))
  first = !found && opens ? event.key : ''
  if (found) {
    event.preventDefault()
    found.act()
  }
}
