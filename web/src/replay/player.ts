/** The playhead: where it stands, whether it moves, how fast. */
import { computed, signal } from '@preact/signals'

export const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 4] as const
/** How long the last picture stays before a loop begins again, s. */
const REST_S = 0.6

export class Player {
  readonly time = signal(0)
  readonly playing = signal(false)
  readonly speed = signal<number>(1)
  readonly duration = signal(0)
  readonly stepS = signal(0.02)
  /** Called once the end was reached, instead of beginning again. */
  atEnd: (() => void) | null = null
  readonly frame = computed(() => Math.round(this.time.value / this.stepS.value))
  private last = 0
  private request = 0

  open(duration: number, stepS: number, at = 0): void {
    this.duration.value = duration
    this.stepS.value = stepS
    this.time.value = Math.min(at, duration)
  }

  start = (): void => {
    if (this.request) return
    this.last = performance.now()
    const tick = (now: number) => {
      this.request = requestAnimationFrame(tick)
      const passed = Math.min(0.25, (now - this.last) / 1000)
      this.last = now
      if (this.playing.value) this.pass(passed * this.speed.value)
    }
    this.request = requestAnimationFrame(tick)
  }

  stop = (): void => {
    cancelAnimationFrame(this.request)
    this.request = 0
  }

  private pass(seconds: number): void {
    const next = this.time.value + seconds
    if (next <= this.duration.value + REST_S * this.speed.value) this.time.value = next
    else if (this.atEnd) this.atEnd()
    else this.time.value = 0
  }

  seek = (seconds: number): void => {
    this.playing.value = false
    this.time.value = Math.max(0, Math.min(this.duration.value, seconds))
  }

  /** Whole steps on or back. */
  step = (by: number): void => this.seek((Math.round(Math.min(this.time.value, this.duration.value) / this.stepS.value) + by) * this.stepS.value)

  toggle = (): void => {
    if (!this.playing.value && this.time.value >= this.duration.value) this.time.value = 0
    this.playing.value = !this.playing.value
  }

  faster = (by: 1 | -1): void => {
    const at = SPEEDS.findIndex((speed) => speed >= this.speed.value)
    this.speed.value = SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, at + by))]!
  }
}
