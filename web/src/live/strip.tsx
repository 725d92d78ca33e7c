/** How hard each environment was over the training: an image with a line for each environment. */
import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { inks } from '../charts/palette'
import { cursor, xAxis, zoom, type Stretch } from '../charts/view'
import { at, getBinary } from '../shell/api'
import { figure } from '../shell/format'
import { dark } from '../shell/theme'
import { t } from './words'

interface StripData {
  envs: number
  n: number
  low: number
  high: number
  x0: number
  x1: number
  pixels: Uint8Array
}

function readStrip(bytes: ArrayBuffer): StripData {
  const size = new DataView(bytes).getUint32(0, true)
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, size)))
  return { ...head, pixels: new Uint8Array(bytes, 4 + size) }
}

export function Strip({ run, range, timesteps }: { run: string; range: Stretch; timesteps: number | null }) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const data = useSignal<StripData | null>(null)
  // It changes slowly: looked at again after each hundredth of the training.
  const when = timesteps === null ? 0 : Math.floor(Math.log(Math.max(1, timesteps)) * 50)
  useEffect(() => {
    const stop = new AbortController()
    getBinary(at`runs/${run}/strip`, { x: xAxis.value, start: zoom.value?.from, end: zoom.value?.to, n: 240 }, stop.signal).then(
      (bytes) => (data.value = readStrip(bytes)),
      () => {}, // the curves beside it tell what is wrong
    )
    return () => stop.abort()
  }, [run, xAxis.value, zoom.value?.from, zoom.value?.to, when])
  const strip = data.value
  useEffect(() => {
    if (strip && canvas.current) paint(canvas.current, strip)
  }, [strip, dark.value])
  if (!strip?.envs || strip.low === strip.high) return null // the same for all, always: nothing to see
  const low = figure(strip.low)
  const high = figure(strip.high)
  return (
    <section class="chart">
      <header>
        <h3 title={t('stripSays')}>{t('strip')}</h3>
        <span class="values"><span class="value"><b>{low} – {high}</b></span></span>
      </header>
      <div class="strip" role="img" aria-label={t('stripLabel', { envs: strip.envs, low, high })} onMouseLeave={() => (cursor.value = null)}
        onMouseMove={(event) => {
          const box = event.currentTarget.getBoundingClientRect()
          cursor.value = range.from + ((event.clientX - box.left) / box.width) * (range.to - range.from)
        }}>
        <canvas ref={canvas} width={strip.n} height={strip.envs} />
      </div>
      <p class="unseen">{t('stripSays')}</p>
    </section>
  )
}

function paint(canvas: HTMLCanvasElement, { n, envs, pixels }: StripData): void {
  const context = canvas.getContext('2d')!
  const image = context.createImageData(n, envs)
  const [r, g, b] = rgb(inks().accent)
  for (let i = 0; i < pixels.length; i++) {
    const value = pixels[i] as number
    image.data.set([r, g, b, value === 255 ? 0 : 24 + (value / 254) * 231], 4 * i)
  }
  context.putImageData(image, 0, 0)
}

const rgb = (hex: string): [number, number, number] => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)) as [number, number, number]
