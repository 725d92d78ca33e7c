/** Columns over time with the playhead in them; a click or a drag moves it. */
import { effect } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import { dark } from '../shell/theme'
import type { Player } from './player'

export interface Curve {
  name: string
  values: Float64Array
  colour: string
  width?: number
  dash?: number[]
}

interface Props {
  label: string
  unit: string
  times: Float64Array
  curves: Curve[]
  /** Level lines: where a limit lies. */
  levels?: { at: number; colour: string }[]
  player: Player
  height?: number
}

const READ_MS = 300
const COLOURS = ['#2f7de1', '#e8710a', '#0f9d7a', '#c2418f', '#8a63d2', '#8a8f10', '#d23f31', '#3d8ea8', '#7a5a3a', '#5b6b7a', '#d39a00', '#3f9a3f']
export const colourOf = (i: number): string => COLOURS[i % COLOURS.length]!

export function Plot({ label, unit, times, curves, levels = [], player, height = 132 }: Props) {
  const place = useRef<HTMLDivElement>(null)
  const legend = useRef<HTMLSpanElement>(null)
  const isDark = dark.value
  const names = curves.map((curve) => curve.name).join()
  useEffect(() => {
    const element = place.current!
    const soft = getComputedStyle(element).getPropertyValue('--soft')
    const line = getComputedStyle(element).getPropertyValue('--line')
    const axis = { stroke: soft, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: '11px system-ui' }
    const made = new uPlot(
      {
        width: element.clientWidth || 400,
        height,
        scales: { x: { time: false }, y: { range: (_, low, high) => rangeOf(low, high, levels) } },
        legend: { show: false },
        cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
        axes: [{ ...axis, size: 30, values: (_, ticks) => ticks.map((s) => `${+s.toFixed(3)} s`) }, { ...axis, size: 52 }],
        series: [{}, ...curves.map(({ name, colour, width, dash }) => ({ label: name, stroke: colour, width: width ?? 1.25, points: { show: false }, ...(dash && { dash }) }))],
        hooks: { draw: [(plot) => drawLevels(plot, levels)] },
      },
      [Array.from(times), ...curves.map(({ values }) => Array.from(values, (value) => (Number.isFinite(value) ? value : null)))],
      element,
    )
    const head = document.createElement('div')
    head.className = 'playhead'
    made.over.append(head)
    const stop = effect(() => {
      const x = made.valToPos(Math.min(player.time.value, player.duration.value), 'x')
      head.style.transform = `translateX(${x}px)`
    })
    // Nobody reads more of them in a second.
    let told = -Infinity
    const stopTelling = effect(() => {
      const time = player.time.value
      if (player.playing.value && performance.now() - told < READ_MS) return
      told = performance.now()
      const frame = latest(times, time)
      legend.current?.querySelectorAll('b').forEach((value, i) => {
        const number = curves[i]?.values[frame]
        value.textContent = number !== undefined && Number.isFinite(number) ? short(number) : '–'
      })
    })
    const seek = (event: PointerEvent) => {
      if (event.buttons & 1) player.seek(made.posToVal(event.clientX - made.over.getBoundingClientRect().left, 'x'))
    }
    made.over.addEventListener('pointerdown', seek)
    made.over.addEventListener('pointermove', seek)
    const resized = new ResizeObserver(() => {
      made.setSize({ width: element.clientWidth, height })
      head.style.transform = `translateX(${made.valToPos(player.time.peek(), 'x')}px)`
    })
    resized.observe(element)
    return () => {
      stop()
      stopTelling()
      resized.disconnect()
      made.destroy()
    }
  }, [times, names, isDark, curves.length, levels.length])
  return (
    <div class="columns-plot" role="group" aria-label={label}>
      <div class="plot-head">
        <b>{label}</b> <small>{unit}</small>
        <span class="keys-of-plot" ref={legend}>
          {curves.map(({ name, colour }) => <span key={name}><i style={{ background: colour }} />{name} <b /></span>)}
        </span>
      </div>
      <div ref={place} />
    </div>
  )
}

/** The last of rising times that is not after a time. */
function latest(times: Float64Array, time: number): number {
  const after = times.findIndex((each) => each > time + 1e-9)
  return Math.max(0, (after < 0 ? times.length : after) - 1)
}

/** Of about the same width while it changes. */
function short(value: number): string {
  const size = Math.abs(value)
  const text = value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3)
  return Number(text) === 0 ? '0' : text.replace('-', '−')
}

/** Limits are seen where the curve comes near; far ones would flatten it. */
function rangeOf(low: number, high: number, levels: { at: number }[]): [number, number] {
  const span = high - low || Math.abs(high) || 1
  for (const { at } of levels) if (at > low - span && at < high + span) [low, high] = [Math.min(low, at), Math.max(high, at)]
  const margin = 0.06 * (high - low || 1)
  return [low - margin, high + margin]
}

function drawLevels(plot: uPlot, levels: { at: number; colour: string }[]): void {
  const { ctx, bbox } = plot
  ctx.save()
  ctx.setLineDash([5, 4])
  ctx.lineWidth = devicePixelRatio
  for (const { at, colour } of levels) {
    const y = plot.valToPos(at, 'y', true)
    if (y < bbox.top || y > bbox.top + bbox.height) continue
    ctx.strokeStyle = colour
    ctx.beginPath()
    ctx.moveTo(bbox.left, y)
    ctx.lineTo(bbox.left + bbox.width, y)
    ctx.stroke()
  }
  ctx.restore()
}
