/** `#/run/<id>/gallery?reason=fell`: how episodes ended, many at a glance. */
import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import type { PageProps } from '../shell/page'
import { compact, figure } from '../shell/format'
import { Notice } from '../shell/notices'
import { href, route, setParams } from '../shell/route'
import { Failed } from './failed'
import { Episode, type Facts } from './episode'
import { t } from './replay-words'
import { reasonWord } from './reasons'
import { listEpisodes, loadClips, sceneOf, type Clip } from './server'
import { ALL_SHOWN, Stage } from './stage'
import { track, type Track } from './track'
import type { Scene } from './scene'
import './replay.css'

const LIMIT = 50
const SIZE: [number, number] = [232, 164]
/** Longer than this a picture of the page should not wait for robots, ms. */
const BUDGET_MS = 12
const REST_S = 0.5

interface Shot {
  clip: Clip
  scene: Scene | null
  episode: Episode
  track: Track | null
}

export default function GalleryPage({ run }: PageProps) {
  const { params } = route.value
  const [reason, from, to] = [params.get('reason'), params.get('from'), params.get('to')]
  const [env, command] = [params.get('env'), params.get('command')]
  const order = params.get('order') ?? 'newest'
  const shots = useSignal<Shot[] | null>(null)
  const reasons = useSignal<Record<string, number>>({})
  const error = useSignal<unknown>(null)
  useEffect(() => {
    const aborted = new AbortController()
    shots.value = null
    error.value = null
    const window = { from, to, env, command }
    listEpisodes(run, { ...window, limit: 0 }).then((list) => (reasons.value = list.reasons), () => undefined)
    loadClips(run, { ...window, reason, order, limit: LIMIT, steps: 50 }, aborted.signal)
      .then((clips) => Promise.all(clips.map((clip) => shotOf(run, clip))))
      .then((all) => (shots.value = all), (why) => aborted.signal.aborted || (error.value = why))
    return () => aborted.abort()
  }, [run, reason, from, to, env, command, order])
  const total = Object.values(reasons.value).reduce((a, b) => a + b, 0)
  return (
    <div class="page">
      <div class="tools">
        <span class="muted">{from || to ? t('window', { from: compact(Number(from ?? 0)), to: to ? compact(Number(to)) : '…' }) : t('whole')}</span>
        {env && <button onClick={() => setParams({ env: null })} title={t('widen')}>{t('ofEnv', { env })} ×</button>}
        {command && <button onClick={() => setParams({ command: null })} title={t('widen')}>{commandWords(command)} ×</button>}
        <button aria-pressed={!reason} onClick={() => setParams({ reason: null })}>{t('all')} <small>{compact(total)}</small></button>
        {Object.entries(reasons.value).map(([name, count]) => (
          <button key={name} aria-pressed={reason === name} onClick={() => setParams({ reason: name })}>{reasonWord(name)} <small>{compact(count)}</small></button>
        ))}
        <span class="grow" />
        <label>{t('order')} <select value={order} onChange={(event) => setParams({ order: event.currentTarget.value })}>
          <option value="newest">{t('newestFirst')}</option>
          <option value="oldest">{t('oldestFirst')}</option>
          <option value="worst">{t('worstFirst')}</option>
          <option value="best">{t('bestFirst')}</option>
        </select></label>
      </div>
      {error.value ? <Failed run={run} error={error.value} /> : shots.value === null ? <p class="waiting">{t('loading')}</p> : shots.value.length === 0 ? <Notice title={t('gallery')}>{t('galleryEmpty')}</Notice> : <Cards run={run} shots={shots.value} />}
    </div>
  )
}

/** `0:0.25..0.5` as people say it. */
function commandWords(command: string): string {
  const [number = '', range = ''] = command.split(':')
  const [low = '', high = ''] = range.split('..')
  const name = t((['askedForward', 'askedSideways', 'askedTurning'] as const)[Number(number)] ?? 'askedForward')
  return `${name} ${low ? `≥ ${figure(Number(low), 2)}` : ''} ${high ? `< ${figure(Number(high), 2)}` : ''}`
}

async function shotOf(run: string, clip: Clip): Promise<Shot> {
  const { qpos, scene: digest } = clip
  const frames = qpos ? { name: 'frame', count: qpos.count, width: 1, lead: 0, values: Float64Array.from({ length: qpos.count }, (_, i) => i) } : null
  const facts = { ...clip, limits: [], feet: [], fields: [], overrides: [], shape: {} } as unknown as Facts
  const episode = new Episode(facts, new Map(qpos && frames ? [['qpos', qpos], ['frame', frames]] : []))
  const scene = qpos && digest ? await sceneOf(run, digest, clip.physics).catch(() => null) : null
  return { clip, episode, scene, track: scene && track(scene, episode) }
}

/** All robots are drawn by one stage, in turn, as many as the time allows. */
function Cards({ run, shots }: { run: string; shots: Shot[] }) {
  const place = useRef<HTMLUListElement>(null)
  useEffect(() => {
    let [request, turn] = [0, 0]
    let stage: Stage | null = null
    let current: Scene | null = null
    const seen = new Set<Element>()
    const watching = new IntersectionObserver((changes) => changes.forEach(({ target, isIntersecting }) => (isIntersecting ? seen.add(target) : seen.delete(target))))
    const canvases = [...place.current!.querySelectorAll('canvas')]
    canvases.forEach((canvas) => watching.observe(canvas))
    try {
      stage = new Stage(document.createElement('canvas'), SIZE)
      stage.shown = { ...ALL_SHOWN }
    } catch {
      return undefined
    }
    const began = performance.now()
    const draw = () => {
      request = requestAnimationFrame(draw)
      const start = performance.now()
      for (let k = 0; k < shots.length && performance.now() - start < BUDGET_MS; k++) {
        const i = turn++ % shots.length
        const { scene, track: made, episode } = shots[i]!
        const onto = canvases[i]?.getContext('2d')
        if (!scene || !made || !onto || !seen.has(canvases[i]!)) continue
        if (scene !== current) stage!.setCast([{ scene, episode, track: made, bare: true }])
        current = scene
        const time = ((start - began) / 1000) % (episode.duration + REST_S)
        stage!.copy(episode, made, episode.frameAt(time), onto)
      }
    }
    request = requestAnimationFrame(draw)
    return () => {
      cancelAnimationFrame(request)
      watching.disconnect()
      stage?.dispose()
    }
  }, [shots])
  return (
    <ul class="gallery" ref={place} aria-label={t('galleryOf', { n: shots.length })}>
      {shots.map(({ clip }) => (
        <li key={clip.key}>
          <a href={href('episode', run, {}, [clip.key])}>
            <canvas width={SIZE[0]} height={SIZE[1]} />
            <b>{reasonWord(clip.reason)}</b>
            <span>{t('return')} {figure(clip.return)} · {t('steps', { n: clip.length })}</span>
            <small>#{clip.number} · {compact(clip.timestep)}</small>
          </a>
        </li>
      ))}
    </ul>
  )
}
