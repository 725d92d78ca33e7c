/** Draws into a uPlot: bands, lines, stacked areas, markers, NaN ticks, the brushed stretch. */
import uPlot from 'uplot'
import type { Marker } from '../messages'
import type { Curve } from './curve'
import { faded, inks, type Inks } from './palette'
import type { Stack } from './stack'
import { tickText, type Stretch, type XAxis } from './view'

export interface Line {
  curve: Curve
  /** What is drawn as the line: the means, smoothed. */
  shown: Float64Array
  colour: string
}

/** A number for people; with more digits where those that it takes by itself do not tell two apart. */
export type Format = (value: number | null, digits?: number) => string

export interface Drawing {
  x: XAxis
  lines: Line[]
  stack?: { stack: Stack; colours: string[]; share: boolean }
  markers: readonly Marker[]
  brush: Stretch | null
  range: Stretch
  log: boolean
  format: Format
  bounds?: readonly [number, number]
}

export interface PlotHandlers {
  onCursor: (place: number | null) => void
  onBrush: (stretch: Stretch) => void
  /** A click: its place, and its height in the plot's own units. */
  onPick: (place: number, height: number) => void
}

/** A plot whose drawing can be replaced as often as data comes. */
export class Plot {
  private plot: uPlot | null = null
  private shape = ''
  private drawing: Drawing | null = null

  constructor(
    private readonly element: HTMLElement,
    private readonly handlers: PlotHandlers,
  ) {}

  draw(drawing: Drawing, width: number, height: number): void {
    this.drawing = drawing
    // What uPlot cannot change in place; anything else is data.
    const shape = [drawing.x, drawing.lines.map((line) => line.colour), drawing.log, drawing.stack?.share, inks().ink].join()
    if (shape !== this.shape) this.destroy()
    this.shape = shape
    if (!this.plot) {
      this.plot = new uPlot(this.options(width, height), this.data(), this.element)
      return
    }
    if (this.plot.width !== width || this.plot.height !== height) this.plot.setSize({ width, height })
    this.plot.setData(this.data())
  }

  /** Put the cursor at a place of the axis, as if the pointer were there. */
  point(place: number | null): void {
    const { plot } = this
    if (!plot) return
    const left = place === null ? -10 : plot.valToPos(place, 'x')
    if (Math.abs((plot.cursor.left ?? -10) - left) > 0.5) plot.setCursor({ left, top: place === null ? -10 : plot.height / 3 }, false)
  }

  canvas(): HTMLCanvasElement | null {
    return this.plot?.ctx.canvas ?? null
  }

  destroy(): void {
    this.plot?.destroy()
    this.plot = null
  }

  private data(): uPlot.AlignedData {
    const { lines, stack, range } = this.drawing as Drawing
    if (stack) return [stack.stack.x.length ? stack.stack.x : [range.from, range.to]] as unknown as uPlot.AlignedData
    if (!lines.length) return [[range.from, range.to]]
    const columns = lines.map(({ curve, shown }) => [curve.x, curve.lo, curve.hi, shown] as const)
    const first = columns[0]
    if (columns.length === 1 && first) return first.map(gaps) as unknown as uPlot.AlignedData
    return uPlot.join(columns.map((column) => column.map(gaps) as unknown as uPlot.AlignedData))
  }

  private options(width: number, height: number): uPlot.Options {
    const ink = inks()
    const { lines, x, log } = this.drawing as Drawing
    const series: uPlot.Series[] = [{}]
    const bands: uPlot.Band[] = []
    const spanGaps = lines.length > 1 // curves that were joined lack each other's places
    for (const line of lines) {
      // What smoothing leaves out of the line stays to be seen: the edges of the band, or each value where there is none.
      const edge = { stroke: faded(line.colour, 0.35), width: 1, points: { show: false }, spanGaps }
      series.push(edge, edge, { stroke: line.colour, width: 1.5, points: { show: false }, spanGaps })
      bands.push({ series: [series.length - 2, series.length - 3], fill: faded(line.colour, 0.2) })
    }
    return {
      width,
      height,
      series,
      bands,
      legend: { show: false },
      padding: [6, 16, 0, 0],
      cursor: {
        y: false,
        points: { show: false },
        drag: { x: true, y: false, setScale: false },
      },
      select: { show: true, left: 0, top: 0, width: 0, height: 0 },
      scales: {
        x: { time: false, range: () => [this.drawing!.range.from, this.drawing!.range.to] },
        y: { range: (_, low, high) => this.heights(low, high), distr: log ? 3 : 1 },
      },
      axes: [
        {
          stroke: ink.soft,
          grid: { stroke: ink.line, width: 1 },
          ticks: { show: false },
          size: 22,
          gap: 4,
          font: FONT,
          space: 56,
          values: (_, splits) => splits.map((place) => tickText(place, x)),
        },
        {
          stroke: ink.soft,
          grid: { stroke: ink.line, width: 1 },
          ticks: { show: false },
          size: (_, labels) => (labels ?? []).reduce((most, label) => Math.max(most, 10 + LETTER * label.length), 46),
          gap: 4,
          font: FONT,
          space: 26,
          values: (_, splits) => tickLabels(splits, this.drawing!.format),
        },
      ],
      hooks: {
        ready: [(plot) => this.watchClicks(plot)],
        drawAxes: [(plot) => this.under(plot, ink)], // over the grid, under the curves
        draw: [(plot) => this.over(plot, ink)],
        setCursor: [
          (plot) => {
            const { left } = plot.cursor
            this.handlers.onCursor(left === undefined || left < 0 ? null : plot.posToVal(left, 'x'))
          },
        ],
        setSelect: [
          (plot) => {
            if (plot.select.width < 4) return
            const [from, to] = [plot.select.left, plot.select.left + plot.select.width].map((left) => plot.posToVal(left, 'x'))
            plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
            if (from !== undefined && to !== undefined && to > from) this.handlers.onBrush({ from, to })
          },
        ],
      },
    }
  }

  /** A press and a release at the same place; anything longer marks a stretch. */
  private watchClicks({ over, posToVal }: uPlot): void {
    let pressed = NaN
    over.addEventListener('pointerdown', (event) => (pressed = event.clientX))
    over.addEventListener('click', (event) => {
      if (Math.abs(event.clientX - pressed) > 3) return
      const box = over.getBoundingClientRect()
      this.handlers.onPick(posToVal(event.clientX - box.left, 'x'), posToVal(event.clientY - box.top, 'y'))
    })
  }

  private heights(low: number | null, high: number | null): [number, number] {
    const { stack, log, bounds } = this.drawing as Drawing
    if (bounds) return [...bounds]
    if (stack?.share) return [0, 1]
    if (stack) [low, high] = [stack.stack.low, stack.stack.high]
    if (low === null || high === null || !Number.isFinite(low) || !Number.isFinite(high)) return [0, 1]
    if (log) return [low, high > low ? high : low * 10]
    // So little is rounding, and would make an axis of a hundred thousand ticks.
    if (high - low <= 1e-9 * Math.max(Math.abs(low), Math.abs(high))) return low === 0 ? [-1, 1] : [low - Math.abs(low) * 0.1, high + Math.abs(high) * 0.1]
    const pad = (high - low) * 0.05
    return [low >= 0 && low < pad * 4 ? Math.min(0, low) : low - pad, high + pad]
  }

  private under(plot: uPlot, ink: Inks): void {
    const { brush, stack } = this.drawing as Drawing
    const { ctx, bbox } = plot
    ctx.save()
    clip(plot)
    if (stack) fillStack(plot, stack.stack, stack.colours)
    if (brush) {
      const [left, right] = [brush.from, brush.to].map((place) => plot.valToPos(place, 'x', true)) as [number, number]
      ctx.fillStyle = faded(ink.accent, 0.16)
      ctx.fillRect(left, bbox.top, right - left, bbox.height)
    }
    ctx.restore()
  }

  private over(plot: uPlot, ink: Inks): void {
    const { lines, markers, x, stack } = this.drawing as Drawing
    const { ctx, bbox } = plot
    const scale = devicePixelRatio
    ctx.save()
    clip(plot)
    if (stack && !stack.share) {
      ctx.strokeStyle = ink.ink
      ctx.lineWidth = 1.5 * scale
      strokePath(plot, stack.stack.x, stack.stack.total)
    }
    for (const marker of markers) {
      const left = Math.round(plot.valToPos(marker.at[x], 'x', true))
      const often = marker.kind === 'checkpoint' // of which there may be one every ten pixels: a tick at the top
      ctx.strokeStyle = faded(marker.kind === 'begin' ? ink.ink : ink.soft, 0.75)
      ctx.lineWidth = scale
      ctx.setLineDash(marker.kind === 'begin' || often ? [] : [3 * scale, 3 * scale])
      ctx.beginPath()
      ctx.moveTo(left + 0.5, bbox.top)
      ctx.lineTo(left + 0.5, bbox.top + (often ? 6 * scale : bbox.height))
      ctx.stroke()
    }
    ctx.setLineDash([])
    // What is no number has no height: a tick at the foot, as high as a line is not.
    ctx.fillStyle = ink.bad
    for (const { curve } of lines)
      for (const i of curve.bad) {
        const left = plot.valToPos(curve.x[i] as number, 'x', true)
        ctx.fillRect(left - scale, bbox.top + bbox.height - 12 * scale, 2 * scale, 12 * scale)
      }
    ctx.restore()
  }
}

/** Labels of an axis with as many digits as it takes for no two to be alike. */
export function tickLabels(splits: readonly (number | null)[], format: Format): string[] {
  const known = splits.filter((value) => value !== null)
  const alike = (digits?: number) => new Set(known.map((value) => format(value, digits))).size < known.length
  const digits = alike() ? [4, 5, 6, 7, 8, 9].find((more) => !alike(more)) : undefined
  return splits.map((value) => (value === null ? '' : format(value, digits)))
}

const LETTER = 6.4 // of FONT, px
const FONT = '11px ui-sans-serif, system-ui, sans-serif'

const gaps = (values: Float64Array): (number | null)[] => Array.from(values, (value) => (Number.isFinite(value) ? value : null))

function clip({ ctx, bbox }: uPlot): void {
  ctx.beginPath()
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height)
  ctx.clip()
}

function strokePath(plot: uPlot, x: Float64Array, y: Float64Array): void {
  plot.ctx.beginPath()
  for (let i = 0; i < x.length; i++)
    plot.ctx.lineTo(plot.valToPos(x[i] as number, 'x', true), plot.valToPos(y[i] as number, 'y', true))
  plot.ctx.stroke()
}

function fillStack(plot: uPlot, { x, layers }: Stack, colours: readonly string[]): void {
  const { ctx } = plot
  const at = x.map((place) => plot.valToPos(place, 'x', true))
  layers.forEach((layer, n) => {
    ctx.fillStyle = faded(colours[n] as string, 0.78)
    ctx.beginPath()
    for (let i = 0; i < at.length; i++) ctx.lineTo(at[i] as number, plot.valToPos(layer.to[i] as number, 'y', true))
    for (let i = at.length - 1; i >= 0; i--) ctx.lineTo(at[i] as number, plot.valToPos(layer.from[i] as number, 'y', true))
    ctx.fill()
  })
}
