/** A chart as a file: what is seen as PNG or SVG, what is behind it as CSV. */
import type { Drawing } from './plot'
import { inks } from './palette'
import { tickText } from './view'

export function csv({ x, lines, stack }: Drawing, names: readonly string[]): string {
  const rows: (string | number)[][] = []
  if (stack) {
    rows.push([x, ...names])
    stack.stack.x.forEach((place, i) => rows.push([place, ...stack.stack.layers.map((layer) => (layer.to[i] as number) - (layer.from[i] as number))]))
  } else
    lines.forEach(({ curve }, n) => {
      rows.push([x, `${names[n]} mean`, 'min', 'max'])
      curve.x.forEach((place, i) => rows.push([place, curve.mean[i], curve.lo[i], curve.hi[i]] as number[]))
    })
  return rows.map((row) => row.map(cell).join(',')).join('\n') + '\n'
}

/** Quoted where needed; never a formula, for a spreadsheet would run it. */
const cell = (value: string | number): string => {
  if (typeof value === 'number') return String(value)
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

const WIDTH = 960
const HEIGHT = 400
const LEFT = 60
const TOP = 44
const BOTTOM = 30

export function svg(drawing: Drawing, title: string, names: readonly string[], heights: readonly [number, number]): string {
  const ink = inks()
  const { range, lines, stack } = drawing
  const [low, high] = heights
  const right = WIDTH - 16
  const foot = HEIGHT - BOTTOM
  const px = (x: number) => (LEFT + ((x - range.from) / (range.to - range.from || 1)) * (right - LEFT)).toFixed(1)
  const py = (y: number) => (foot - ((y - low) / (high - low || 1)) * (foot - TOP)).toFixed(1)
  const path = (x: Float64Array, y: Float64Array) => {
    let pen = 'M'
    return Array.from(x, (place, i) => {
      const value = y[i] as number
      if (!Number.isFinite(value)) {
        pen = 'M'
        return ''
      }
      const point = `${pen}${px(place)} ${py(value)}`
      pen = 'L'
      return point
    }).join('')
  }
  const around = (x: Float64Array, top: Float64Array, bottom: Float64Array) => `${path(x, top)}${path(x.toReversed(), bottom.toReversed()).replace('M', 'L')}Z`
  const parts = [`<rect width="${WIDTH}" height="${HEIGHT}" fill="${ink.panel}"/>`]
  for (let i = 0; i <= 4; i++) {
    const y = low + ((high - low) * i) / 4
    const x = range.from + ((range.to - range.from) * i) / 4
    parts.push(
      `<path d="M${LEFT} ${py(y)}H${right}" stroke="${ink.line}"/>`,
      `<text x="${LEFT - 6}" y="${py(y)}" dy="4" text-anchor="end">${escape(drawing.format(y))}</text>`,
      `<text x="${px(x)}" y="${foot + 18}" text-anchor="middle">${escape(tickText(x, drawing.x))}</text>`,
    )
  }
  stack?.stack.layers.forEach((layer, i) =>
    parts.push(`<path d="${around(stack.stack.x, layer.to, layer.from)}" fill="${stack.colours[i]}" fill-opacity=".78"/>`),
  )
  for (const { curve, shown, colour } of lines) {
    if (!curve.line) parts.push(`<path d="${around(curve.x, curve.hi, curve.lo)}" fill="${colour}" fill-opacity=".2"/>`)
    for (const edge of curve.line ? [curve.lo] : [curve.lo, curve.hi]) parts.push(`<path d="${path(curve.x, edge)}" fill="none" stroke="${colour}" stroke-opacity=".35"/>`)
    parts.push(`<path d="${path(curve.x, shown)}" fill="none" stroke="${colour}" stroke-width="1.6"/>`)
    for (const i of curve.bad) parts.push(`<path d="M${px(curve.x[i] as number)} ${foot}v-12" stroke="${ink.bad}" stroke-width="2"/>`)
  }
  const legend = (stack?.colours ?? lines.map((line) => line.colour))
    .map((colour, i) => `<tspan fill="${colour}" dx="12">■</tspan><tspan dx="4">${escape(names[i] ?? '')}</tspan>`)
    .join('')
  parts.push(`<text x="${LEFT}" y="26" class="title">${escape(title)}${names.length > 1 ? `<tspan class="legend">${legend}</tspan>` : ''}</text>`)
  const style = `text{font:12px sans-serif;fill:${ink.soft}}.title{font:600 15px sans-serif;fill:${ink.ink}}.legend{font:12px sans-serif}`
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}"><style>${style}</style>${parts.join('')}</svg>`
}

const escape = (text: string) => text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`)

/** The canvas with its title above it, on the page's ground. */
export function png(canvas: HTMLCanvasElement, title: string, names: readonly string[], colours: readonly string[]): Promise<Blob | null> {
  const ink = inks()
  const scale = devicePixelRatio
  const head = 40 * scale
  const sheet = document.createElement('canvas')
  sheet.width = canvas.width
  sheet.height = canvas.height + head
  const context = sheet.getContext('2d')!
  context.fillStyle = ink.panel
  context.fillRect(0, 0, sheet.width, sheet.height)
  context.fillStyle = ink.ink
  context.font = `600 ${14 * scale}px sans-serif`
  context.fillText(title, 10 * scale, 18 * scale)
  context.font = `${11 * scale}px sans-serif`
  let left = 10 * scale
  if (names.length > 1)
    names.forEach((name, i) => {
      context.fillStyle = colours[i] ?? ink.ink
      context.fillText(`■ ${name}`, left, 34 * scale)
      left += context.measureText(`■ ${name}`).width + 12 * scale
    })
  context.drawImage(canvas, 0, head)
  return new Promise((resolve) => sheet.toBlob(resolve))
}

export function save(content: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(content)
  link.download = name.replace(/[^\p{L}\p{N}._-]+/gu, '_')
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}
