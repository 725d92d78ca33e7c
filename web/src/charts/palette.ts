/** Colours of curves: told apart by people who confuse red and green, readable on both grounds. */
import { dark } from '../shell/theme'

// Light ground, dark ground: after Okabe and Ito, turned darker and lighter.
const PAIRS: readonly (readonly [string, string])[] = [
  ['#1f6fc4', '#6fb1ff'],
  ['#d1720a', '#f2a33c'],
  ['#128a63', '#42c99b'],
  ['#b0418f', '#e48cc6'],
  ['#8a7400', '#d9c64a'],
  ['#3f7f9e', '#7fd0ee'],
  ['#b5402a', '#f0806a'],
  ['#6652b8', '#a99bf5'],
  ['#5b7d1f', '#a9cf62'],
  ['#7a5a43', '#c8a286'],
]

export const colour = (i: number): string => {
  const pair = PAIRS[i % PAIRS.length] as readonly [string, string]
  return pair[dark.value ? 1 : 0]
}

export interface Inks {
  ink: string
  soft: string
  line: string
  panel: string
  bad: string
  accent: string
}

/** The page's colours, for canvases. */
export function inks(): Inks {
  void dark.value
  const style = getComputedStyle(document.documentElement)
  const of = (name: string) => style.getPropertyValue(`--${name}`).trim()
  return { ink: of('ink'), soft: of('soft'), line: of('line'), panel: of('panel'), bad: of('bad'), accent: of('accent') }
}

export const faded = (hex: string, alpha: number): string =>
  hex + Math.round(alpha * 255).toString(16).padStart(2, '0')
