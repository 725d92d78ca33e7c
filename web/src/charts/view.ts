/** How curves are looked at: the axis, the stretch, the smoothing. All of it is in the address. */
import { computed, signal } from '@preact/signals'
import { clockTime, compact, moment } from '../shell/format'
import { param, route, setParams } from '../shell/route'

export const AXES = ['timestep', 'time', 'update', 'episode'] as const
export type XAxis = (typeof AXES)[number]

const chosen = param('x')
export const xAxis = computed<XAxis>(() => (AXES as readonly string[]).includes(chosen.value) ? (chosen.value as XAxis) : 'timestep')

const said = param('smooth', '0.6')
export const smoothing = computed(() => {
  const value = Number(said.value)
  return value >= 0 && value < 1 ? value : 0
})

export interface Stretch {
  from: number
  to: number
}

export function readStretch(text: string): Stretch | null {
  const [from, to] = text.split('..').map(Number)
  return from !== undefined && to !== undefined && from < to ? { from, to } : null
}

export const writeStretch = (stretch: Stretch | null): string | null => {
  if (!stretch) return null
  // As many digits as the stretch needs, so that the address stays short.
  const digits = Math.max(0, Math.ceil(2 - Math.log10(stretch.to - stretch.from)))
  return `${stretch.from.toFixed(digits)}..${stretch.to.toFixed(digits)}`
}

const zoomed = param('zoom')
export const zoom = computed(() => readStretch(zoomed.value))
const brushed = param('brush')
export const brush = computed(() => readStretch(brushed.value))

export const setZoom = (stretch: Stretch | null) => setParams({ zoom: writeStretch(stretch), brush: null }, 'push')
export const setBrush = (stretch: Stretch | null) => {
  if (stretch === null && !route.value.params.has('brush')) return
  setParams({ brush: writeStretch(stretch) })
}
export const setAxis = (x: XAxis) => setParams({ x: x === 'timestep' ? null : x, zoom: null, brush: null, explain: null })

/** Where the pointer or the arrow keys are, on every chart at once. */
export const cursor = signal<number | null>(null)

export function placeText(place: number, x: XAxis = xAxis.value): string {
  return x === 'time' ? moment(place) : compact(place)
}

export const tickText = (place: number, x: XAxis): string => (x === 'time' ? clockTime(place) : compact(place))
