/** One chart with its title, its values at the cursor, and what can be done with it. */
import { useSignal, useSignalEffect } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks'
import type { Marker } from '../messages'
import { figure } from '../shell/format'
import { dark } from '../shell/theme'
import { indexAt, lastOf } from './curve'
import { layerAt, showEpisodes } from './pick'
import { csv, png, save, svg } from './export'
import { Plot, type Drawing, type Format, type Line } from './plot'
import type { Stack } from './stack'
import { brush, cursor, setBrush, setZoom, xAxis, type Stretch } from './view'
import { t } from './words'
import 'uplot/dist/uPlot.min.css'
import './chart.css'

export interface ChartProps {
  title: string
  hint?: string | undefined
  unit?: string | undefined
  names: readonly string[]
  lines?: Line[]
  stack?: { stack: Stack; colours: string[]; share: boolean; keys?: string[] }
  markers?: readonly Marker[]
  range: Stretch
  height?: number
  /** What the vertical axis always spans. */
  bounds?: readonly [number, number] | undefined
  wide?: boolean
  /** Wide where nothing stands beside it. */
  fills?: boolean
  format?: Format | undefined
  /** What is shown of each line while no cursor is on it, and what that is; else its last value. */
  standing?: { values: readonly (number | null)[]; says: string } | undefined
  children?: ComponentChildren
}

export function Chart(props: ChartProps) {
  const { title, hint, names, lines = [], stack, markers = [], range, height = 150, bounds, wide, format = figure } = props
  const frame = useRef<HTMLDivElement>(null)
  const plot = useRef<Plot | null>(null)
  const large = useSignal(false)
  const log = useSignal(false)
  const size = useSignal<readonly [number, number]>([0, 0])
  const seen = useSignal(false)
  const drawing: Drawing = {
    x: xAxis.value,
    lines,
    ...(stack && { stack }),
    markers,
    brush: brush.value,
    range,
    log: log.value && !stack,
    format,
    ...(bounds && { bounds }),
  }
  const latest = useRef(drawing)
  latest.current = drawing
  void dark.value
  const tall = large.value ? Math.max(320, Math.round(innerHeight * 0.6)) : height
  const empty = !lines.some((line) => line.curve.x.length) && !stack?.stack.x.length

  useLayoutEffect(() => {
    const element = frame.current!
    plot.current = new Plot(element, {
      onCursor: (place) => (cursor.value = place),
      onBrush: setBrush,
      onPick: (place, height) => showEpisodes(latest.current, place, layerAt(latest.current, props.stack?.keys, place, height)),
    })
    const sizes = new ResizeObserver(() => (size.value = [element.clientWidth, element.clientHeight]))
    const sight = new IntersectionObserver(([entry]) => (seen.value = entry?.isIntersecting ?? false), { rootMargin: '200px' })
    sizes.observe(element)
    sight.observe(element)
    return () => {
      sizes.disconnect()
      sight.disconnect()
      plot.current?.destroy()
    }
  }, [])
  const [width, space] = size.value
  const ready = seen.value && width > 0 && !empty
  useEffect(() => {
    if (ready) plot.current?.draw(drawing, width, space)
  })
  useSignalEffect(() => plot.current?.point(cursor.value))

  const bad = lines.reduce((sum, line) => sum + line.curve.bad.length, 0)
  const colours = stack?.colours ?? lines.map((line) => line.colour)
  const heights = (): [number, number] => extremes(latest.current)
  const saveAs = {
    png: async () => {
      const canvas = plot.current?.canvas()
      const blob = canvas && (await png(canvas, title, names, colours))
      if (blob) save(blob, `${title}.png`)
    },
    svg: () => save(new Blob([svg(latest.current, title, names, heights())], { type: 'image/svg+xml' }), `${title}.svg`),
    csv: () => save(new Blob([csv(latest.current, names)], { type: 'text/csv' }), `${title}.csv`),
  }
  return (
    <section class={`chart ${wide || large.value ? 'wide' : ''} ${props.fills ? 'fills' : ''}`}>
      <header>
        <h3 title={hint}>{title}</h3>
        {props.unit && props.unit !== '1' && <small>{props.unit}</small>}
        {names.length === 1 && <Values {...props} lines={lines} format={format} />}
        {bad > 0 && <span class="bad" title={t('badSays', { count: bad })}>{t('bad', { count: bad })}</span>}
        <span class="grow" />
        {props.children}
        <details class="menu" onToggle={closeOthers}>
          <summary aria-label={`${t('save')}: ${title}`} title={t('save')}>⋯</summary>
          <div>
            <button onClick={() => void saveAs.png()}>{t('png')}</button>
            <button onClick={saveAs.svg}>{t('svg')}</button>
            <button onClick={saveAs.csv}>{t('csv')}</button>
            {!stack && <button aria-pressed={log.value} onClick={() => (log.value = !log.value)}>{t('log')}</button>}
            <button onClick={() => (large.value = !large.value)}>{large.value ? t('small') : t('large')}</button>
          </div>
        </details>
      </header>
      {names.length > 1 && <Values {...props} lines={lines} format={format} />}
      <div
        ref={frame}
        class="plot"
        role="img"
        tabIndex={0}
        style={{ minHeight: `${tall}px` }}
        aria-label={empty ? t('empty', { title }) : label(title, drawing, format)}
        onKeyDown={(event) => onKey(event, range, latest.current)}
      >
        {empty && <p class="nothing">{t('nothing')}</p>}
      </div>
      {hint && <p class="unseen">{hint}</p>}
    </section>
  )
}

/** The values at the cursor, or the last ones. */
function Values({ names, lines = [], stack, format = figure, standing }: ChartProps) {
  const place = cursor.value
  const cell = (name: string, colour: string | undefined, value: number | null, more?: string) => (
    <span class="value" key={name} title={more}>
      {colour && names.length > 1 && <i style={{ background: colour }} />}
      {names.length > 1 && <span>{name}</span>} <b>{format(value)}</b>
    </span>
  )
  if (stack) {
    const { x, layers, total } = stack.stack
    const i = place === null ? x.length - 1 : indexAt(x, place)
    if (i < 0) return null
    return (
      <span class="values">
        {!stack.share && <span class="value" title={t('total')}><b>{format(total[i] ?? null)}</b></span>}
        {layers.map((layer, n) => cell(layer.name, stack.colours[n], (layer.to[i] ?? NaN) - (layer.from[i] ?? NaN)))}
      </span>
    )
  }
  return (
    <span class="values">
      {lines.map(({ curve, shown, colour }, n) => {
        const i = place === null ? -1 : indexAt(curve.x, place)
        const last = standing ? (standing.values[n] ?? null) : lastOf(shown)
        const value = i < 0 ? last : (shown[i] ?? null)
        const more = i < 0 || curve.line ? undefined : `${t('least')} ${format(curve.lo[i] ?? null)}, ${t('mean')} ${format(curve.mean[i] ?? null)}, ${t('most')} ${format(curve.hi[i] ?? null)}`
        return cell(names[n] ?? curve.key, colour, value, more)
      })}
      {standing && place === null && <small>{standing.says}</small>}
    </span>
  )
}

function extremes({ lines, stack, bounds }: Drawing): [number, number] {
  if (bounds) return [...bounds]
  if (stack) return stack.share ? [0, 1] : [stack.stack.low, stack.stack.high]
  let [low, high] = [Infinity, -Infinity]
  for (const { curve } of lines) {
    for (const value of curve.lo) if (value < low) low = value
    for (const value of curve.hi) if (value > high) high = value
  }
  return low < high ? [low, high] : [low - 1, low + 1]
}

function label(title: string, drawing: Drawing, format: (value: number | null) => string): string {
  const [low, high] = extremes(drawing)
  const last = drawing.stack ? lastOf(drawing.stack.stack.total) : lastOf(drawing.lines[0]?.shown ?? new Float64Array())
  return t('chart', { title, value: format(last), low: format(low), high: format(high) })
}

/** Arrow keys move the cursor; with Shift they mark a stretch, as dragging does; Enter is a click. */
function onKey(event: KeyboardEvent, range: Stretch, drawing: Drawing): void {
  const span = range.to - range.from
  const held = (place: number) => Math.max(range.from, Math.min(range.to, place))
  const at = cursor.value ?? range.to
  switch (event.key) {
    case 'ArrowLeft':
    case 'ArrowRight': {
      const next = held(at + (event.key === 'ArrowLeft' ? -1 : 1) * (span / 60))
      cursor.value = next
      if (event.shiftKey) {
        const old = brush.value
        // The end that stays is the one away from the cursor.
        const stays = old ? (Math.abs(at - old.from) < Math.abs(at - old.to) ? old.to : old.from) : at
        if (stays !== next) setBrush({ from: Math.min(stays, next), to: Math.max(stays, next) })
      }
      break
    }
    case 'Home':
      cursor.value = range.from
      break
    case 'End':
      cursor.value = range.to
      break
    case 'Enter':
      showEpisodes(drawing, at)
      break
    case 'z':
      if (!brush.value) return
      setZoom(brush.value)
      break
    default:
      return
  }
  event.preventDefault()
  event.stopPropagation()
}

function closeOthers(event: Event): void {
  const opened = event.currentTarget as HTMLDetailsElement
  if (opened.open) document.querySelectorAll<HTMLDetailsElement>('details.menu[open]').forEach((each) => each !== opened && (each.open = false))
}
