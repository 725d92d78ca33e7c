/** The 3D view and what is drawn in it. */
import { effect, signal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { language } from '../shell/words'
import type { Player } from './player'
import { t } from './replay-words'
import type { Loaded } from './source'
import { Stage, type Cast, type Shift } from './stage'
import { commandedAt, type Shown } from './marks'
import { speedAt } from './track'

export interface Part {
  loaded: Loaded
  tint?: number
  shift?: Shift
  bare?: boolean
  /** What it is called in the picture, where there are several. */
  label?: string
  /** Seconds by which it is ahead of the playhead. */
  offset?: number
}

const LAYERS = ['forces', 'velocity', 'trails', 'balance', 'limits', 'collision'] as const
export const GHOSTS = [0xe8710a, 0x8a63d2, 0x0f9d7a, 0xc2418f, 0x2f7de1]
const shown = signal<Shown>({ forces: true, velocity: true, trails: true, balance: false, limits: true, collision: false })
export const follow = signal(true)

/** For whoever wants to look from outside: the console, tests. */
export interface StageCanvas extends HTMLCanvasElement {
  stage?: Stage
}

/** The stage outlives the page that shows it: to begin one, and to compile its programs, takes longer than an episode. */
let kept: Stage | null = null
let begun = false

/** While the first episode is on its way. */
export function prepareStage(): void {
  if (begun) return
  begun = true
  try {
    kept = new Stage(document.createElement('canvas'))
  } catch {
    // Said where it is missed.
  }
}

function takeStage(): Stage {
  begun = true
  const own = kept && !kept.lost ? kept : new Stage(document.createElement('canvas'))
  kept = null
  return own
}

export function Viewer({ parts, player, name }: { parts: Part[]; player: Player; name: string }) {
  const place = useRef<HTMLDivElement>(null)
  const labels = useRef<HTMLDivElement>(null)
  const stage = useRef<Stage | null>(null)
  const drawn = parts.filter(({ loaded }) => loaded.scene && loaded.track)
  const cast = parts.flatMap(({ loaded, tint, shift, bare }): Cast[] =>
    loaded.scene && loaded.track
      ? [{ scene: loaded.scene, episode: loaded.episode, track: loaded.track, ...(tint !== undefined && { tint }), ...(shift && { shift }), ...(bare && { bare }) }]
      : [],
  )
  const current = useRef(parts)
  current.current = parts
  const failed = useRef(false)

  useEffect(() => {
    let request = 0
    try {
      stage.current = takeStage()
    } catch {
      failed.current = true
      return
    }
    const canvas: StageCanvas = stage.current.canvas
    canvas.stage = stage.current
    canvas.role = 'img'
    canvas.tabIndex = 0
    delete canvas.dataset['drawn']
    place.current!.prepend(canvas)
    stage.current.arrive()
    const draw = () => {
      request = requestAnimationFrame(draw)
      if (!stage.current!.render()) return
      placeLabels(stage.current!, labels.current!)
      canvas.dataset['drawn'] = String(Number(canvas.dataset['drawn'] ?? 0) + 1)
    }
    request = requestAnimationFrame(draw)
    const stop = effect(() => {
      stage.current!.shown = shown.value
      stage.current!.follow = follow.value
      showAt(stage.current!, current.current, player.time.value)
    })
    return () => {
      stop()
      cancelAnimationFrame(request)
      canvas.remove()
      kept = stage.current
      stage.current = null
    }
  }, [])
  useEffect(() => {
    if (stage.current) stage.current.canvas.ariaLabel = t('view')
  }, [language.value])

  const names = cast.map(({ episode, tint, shift }) => `${episode.facts.key} ${tint} ${shift?.x} ${shift?.y}`).join()
  useEffect(() => {
    if (!stage.current) return
    stage.current.setCast(cast)
    showAt(stage.current, parts, player.time.peek())
  }, [names, ...parts.map((part) => part.offset)])

  const save = async () => {
    const blob = await stage.current?.picture()
    if (!blob) return
    const link = document.createElement('a')
    link.href = URL.createObjectURL(blob)
    link.download = `${name}-${player.time.value.toFixed(2)}s.png`
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
  }

  return (
    <section class="viewer">
      <div class="stage" ref={place}>
        <div class="labels" ref={labels}>
          {drawn.map(({ label, tint }, i) => <span key={i} hidden>{label && drawn.length > 1 && <b style={{ borderColor: tint === undefined ? 'transparent' : hex(tint) }}>{label}</b>}</span>)}
        </div>
      </div>
      {failed.current && <p class="over-view">{t('noWebgl')}</p>}
      {stage.current?.low && <p class="over-view quiet-note">{t('softly')}</p>}
      <div class="layers">
        {LAYERS.map((layer) => (
          <label key={layer}>
            <input
              type="checkbox"
              checked={shown.value[layer]}
              onChange={(event) => (shown.value = { ...shown.value, [layer]: event.currentTarget.checked })}
            />{' '}
            {t(layer)}
          </label>
        ))}
        <label>
          <input type="checkbox" checked={follow.value} onChange={(event) => (follow.value = event.currentTarget.checked)} /> {t('follow')}
        </label>
        {parts[0] && <Speeds loaded={parts[0].loaded} player={player} />}
        <span class="grow" />
        <button onClick={save}>{t('picture')}</button>
      </div>
    </section>
  )
}

/** The arrows' legend, with what they show at the playhead. */
function Speeds({ loaded: { episode, track }, player }: { loaded: Loaded; player: Player }) {
  if (!track?.frames) return null
  const told = (name: string, colour: string, speeds: [number, number] | null) => speeds && (
    <><i style={{ background: colour }} /> {name} <b>{speeds.map((speed) => speed.toFixed(2).replace('-', '−')).join(', ')}</b> m/s </>
  )
  const frame = episode.frameAt(player.time.value)
  return (
    <span class="legend" title={t('speeds')}>
      {told(t('commanded'), '#7b4de0', commandedAt(episode, frame))}{told(t('actual'), '#12a150', speedAt(track, frame))}
    </span>
  )
}

const hex = (colour: number): string => `#${colour.toString(16).padStart(6, '0')}`

function placeLabels(stage: Stage, labels: HTMLElement): void {
  const placed: [number, number][] = []
  Array.from(labels.children as HTMLCollectionOf<HTMLElement>).forEach((label, i) => {
    const at = stage.above(i)
    // One robot hides the other; so does its name.
    label.hidden = !at || placed.some(([x, y]) => Math.hypot(x - at[0], y - at[1]) < 0.01)
    if (label.hidden || !at) return
    placed.push(at)
    label.style.translate = `${at[0] * labels.clientWidth}px ${at[1] * labels.clientHeight}px`
  })
}

function showAt(stage: Stage, parts: Part[], time: number): void {
  const drawn = parts.filter(({ loaded }) => loaded.scene && loaded.track)
  stage.show(drawn.map(({ loaded, offset }) => loaded.episode.frameAt(time + (offset ?? 0))))
}
