/** The curves of one run: asked for once, then appended to as the server tells. */
import { batch, signal, type Signal } from '@preact/signals'
import type { Marker, Overview, Shares } from '../messages'
import { address, at, getBinary, getJson } from '../shell/api'
import { grown, readFrame, type Curve, type NewPoints } from './curve'
import type { Stretch, XAxis } from './view'

export interface Asked {
  /** Curves by how many buckets they are drawn with. */
  keys: ReadonlyMap<string, number>
  x: XAxis
  zoom: Stretch | null
}

interface Rows {
  unix_s: number
  timesteps: number
  curves: Record<string, NewPoints>
  ended?: { x: number; reasons: Record<string, number> }
  markers?: Marker[]
}

export type Connection = 'live' | 'away' | 'still'

/** A curve that has grown to so many times what was asked for is asked for again. */
const REDRAW_AT = 2.5
const OVERVIEW_MS = 5000

export class RunCurves {
  readonly curves = new Map<string, Signal<Curve | null>>()
  readonly shares = signal<Shares | null>(null)
  readonly overview = signal<Overview | null>(null)
  readonly failure = signal<unknown>(null)
  readonly connection = signal<Connection>('still')
  readonly timesteps = signal<number | null>(null)
  /** When the newest points were taken in, by this clock, and by the server's. */
  readonly newest = signal<{ server: number; here: number } | null>(null)

  private asked: Asked | null = null
  private events: EventSource | null = null
  private stop = new AbortController()
  private readonly gone = new AbortController()
  private at = ''
  private looked = 0
  private waiting: Rows[] = []
  private frame = 0

  constructor(readonly run: string) {}

  curve(key: string): Signal<Curve | null> {
    let found = this.curves.get(key)
    if (!found) this.curves.set(key, (found = signal<Curve | null>(null)))
    return found
  }

  async begin(): Promise<void> {
    this.looked = Date.now()
    try {
      this.overview.value = await getJson<Overview>(at`runs/${this.run}/overview`, {}, this.gone.signal)
      this.timesteps.value = this.overview.value.row.timesteps
      this.failure.value = null
    } catch (error) {
      if (!this.gone.signal.aborted) this.failure.value = error
    }
  }

  /** Draw these from now on. */
  async ask(asked: Asked): Promise<void> {
    this.asked = asked
    await this.load()
  }

  close(): void {
    this.gone.abort()
    this.stop.abort()
    this.events?.close()
    cancelAnimationFrame(this.frame)
  }

  private async load(): Promise<void> {
    const { asked } = this
    if (!asked) return
    this.stop.abort()
    this.events?.close()
    this.stop = new AbortController()
    const stop = this.stop.signal
    const { x, zoom } = asked
    const range = { x, start: zoom?.from, end: zoom?.to }
    try {
      // In one question: curves of one moment, from which on all of them grow.
      const curves = getBinary(at`runs/${this.run}/curves`, { keys: [...asked.keys.keys()].join(), n: [...asked.keys.values()].join(), ...range }, stop)
      const shares = getJson<Shares>(at`runs/${this.run}/shares`, { n: 160, ...range }, stop)
      shares.then((told) => (this.shares.value = told), () => {})
      const frame = readFrame(await curves)
      if (stop.aborted) return
      this.waiting = [] // it holds what had come
      batch(() => frame.curves.forEach((curve) => (this.curve(curve.key).value = curve)))
      await shares
      if (stop.aborted) return
      this.failure.value = null
      this.at = frame.at
      this.listen(asked)
    } catch (error) {
      if (!stop.aborted) this.failure.value = error
    }
  }

  private listen({ keys, x }: Asked): void {
    const events = new EventSource(address(at`runs/${this.run}/live`, { keys: [...keys.keys()].join(), x, since: this.at }))
    this.events = events
    events.onopen = () => (this.connection.value = 'live')
    events.onerror = () => (this.connection.value = 'away') // it comes back by itself
    events.addEventListener('rows', (event: MessageEvent<string>) => {
      this.waiting.push(JSON.parse(event.data) as Rows)
      this.frame ||= requestAnimationFrame(() => this.take())
      // A page in the background gets no frames, and should not hoard.
      if (this.waiting.length > 50) this.take()
    })
    events.addEventListener('anew', () => void this.load())
    events.addEventListener('failure', (event: MessageEvent<string>) => {
      events.close()
      this.connection.value = 'away'
      this.failure.value = new Error((JSON.parse(event.data) as { error: string }).error)
      setTimeout(() => void this.load(), 3000)
    })
  }

  private take(): void {
    cancelAnimationFrame(this.frame)
    this.frame = 0
    const all = this.waiting
    this.waiting = []
    batch(() => {
      for (const rows of all) {
        for (const [key, points] of Object.entries(rows.curves)) {
          const known = this.curves.get(key)
          if (known?.value) known.value = grown(known.value, points)
        }
        if (rows.ended && this.shares.value) this.shares.value = withEnded(this.shares.value, rows.ended)
        if (rows.markers && this.overview.value)
          this.overview.value = { ...this.overview.value, markers: [...this.overview.value.markers, ...rows.markers] }
        this.timesteps.value = rows.timesteps
        this.newest.value = { server: rows.unix_s, here: Date.now() / 1000 }
      }
    })
    const outgrown = [...(this.asked?.keys ?? [])].some(([key, n]) => (this.curves.get(key)?.value?.x.length ?? 0) > REDRAW_AT * n)
    if (outgrown) void this.load()
    // Speed, state and what can be drawn at all change slowly.
    if (Date.now() - this.looked > OVERVIEW_MS) void this.begin()
  }
}

function withEnded(shares: Shares, { x, reasons }: { x: number; reasons: Record<string, number> }): Shares {
  const names = new Set([...Object.keys(shares.reasons), ...Object.keys(reasons)])
  const n = shares.x.length
  const step = n < 2 ? 0 : ((shares.x[n - 1] as number) - (shares.x[0] as number)) / (n - 1)
  const within = n > 1 && x - (shares.x[n - 2] as number) <= step
  const columns = [...names].map((name) => {
    const counts = [...(shares.reasons[name] ?? shares.x.map(() => 0))]
    const more = reasons[name] ?? 0
    if (within) counts[n - 1] = (counts[n - 1] ?? 0) + more
    else counts.push(more)
    return [name, counts] as const
  })
  return { x: within ? [...shares.x.slice(0, -1), x] : [...shares.x, x], reasons: Object.fromEntries(columns) }
}
