/** `#/run/<id>/episode/<key>`: one episode, with ghosts of others. */
import { useSignal } from '@preact/signals'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import type { PageProps } from '../shell/page'
import { compact } from '../shell/format'
import { useKeys } from '../shell/keys'
import { Failure } from '../shell/notices'
import { go, href, route, setParams } from '../shell/route'
import { Failed } from './failed'
import { Player } from './player'
import { t } from './replay-words'
import { extremes, loadEpisode, whatIf } from './server'
import { Show } from './show'
import type { Loaded } from './source'
import { together } from './together'
import { prepareStage } from './viewer'
import { changesOf, WhatIf } from './what-if'

const LOOK_S = 2

export default function EpisodePage({ run }: PageProps) {
  const { rest, params } = route.value
  const wanted = rest[0] ?? 'latest'
  const ghosts = (params.get('with') ?? '').split(',').filter(Boolean)
  const live = params.get('live') === '1'
  const player = useMemo(() => new Player(), [])
  const found = useSignal<Loaded[]>([])
  const error = useSignal<unknown>(null)

  const asked = [wanted, ...ghosts].join()
  useEffect(() => {
    const aborted = new AbortController()
    error.value = null
    Promise.all([wanted, ...ghosts].map((key) => loadEpisode(run, key, { from: params.get('from'), to: params.get('to') }, aborted.signal))).then(
      (all) => {
        const { duration, stepS } = all[0]!.episode
        const first = found.value.length === 0
        player.open(duration, stepS, first ? Number(params.get('t') ?? 0) : 0)
        if (first) player.playing.value = !params.has('t')
        found.value = all
      },
      (why) => aborted.signal.aborted || (error.value = why),
    )
    setTimeout(prepareStage)
    return () => aborted.abort()
  }, [run, asked])

  const ifs = params.get('if')
  const key = found.value[0]?.episode.facts.key
  const other = useSignal<Loaded | null>(null)
  const waiting = useSignal(false)
  const failed = useSignal<unknown>(null)
  const askedHere = useRef(false)
  useEffect(() => {
    const changes = changesOf(ifs)
    other.value = failed.value = null
    if (!changes || !key) return undefined
    const aborted = new AbortController()
    waiting.value = true
    whatIf(run, key, changes, aborted.signal)
      .then((simulated) => {
        other.value = simulated
        // Another policy may walk on where the recorded one fell.
        player.duration.value = Math.max(player.duration.value, simulated.episode.duration)
        if (askedHere.current) player.playing.value = true
        askedHere.current = false
      })
      .catch((why) => aborted.signal.aborted || (failed.value = why))
      .finally(() => aborted.signal.aborted || (waiting.value = false))
    return () => {
      aborted.abort()
      waiting.value = false
      player.duration.value = found.value[0]?.episode.duration ?? 0
    }
  }, [run, key, ifs])

  useEffect(() => {
    player.start()
    // The address keeps the instant that is looked at, not every one that passes.
    const keep = setInterval(() => {
      if (!player.playing.value && found.value.length) setParams({ t: player.time.value ? player.time.value.toFixed(2) : null })
    }, 400)
    return () => {
      player.stop()
      clearInterval(keep)
    }
  }, [])

  useEffect(() => {
    if (!live) return undefined
    let newest: Loaded | null = null
    const show = (next: Loaded) => {
      player.open(next.episode.duration, next.episode.stepS)
      found.value = [next]
      error.value = newest = null
    }
    const look = setInterval(async () => {
      const next = await loadEpisode(run, 'latest', {}).catch(() => null)
      if (!next || next.episode.facts.key === found.value[0]?.episode.facts.key) return
      newest = next
      if (found.value.length) return
      // The first that ends: nothing was there to be shown before.
      show(next)
      player.playing.value = true
    }, LOOK_S * 1000)
    player.atEnd = () => {
      player.time.value = 0
      if (newest) show(newest)
    }
    return () => {
      clearInterval(look)
      player.atEnd = null
    }
  }, [run, live])

  const lead = found.value[0]
  const neighbour = (by: number) => {
    const number = (found.value[0]?.episode.facts.number ?? 0) + by
    if (number >= 0) open(run, String(number))
  }
  useKeys([
    { key: 'p', says: () => t('keyOlder'), act: () => neighbour(-1) },
    { key: 'n', says: () => t('keyNewer'), act: () => neighbour(1) },
  ])
  if (error.value && !lead) return <Failed run={run} error={error.value} />
  if (!lead) return <p class="waiting">{t('loading')}</p>
  return (
    <div class="page">
      <Choice run={run} lead={lead} neighbour={neighbour} />
      {error.value !== null && <Failure error={error.value} />}
      <Show parts={together(other.value ? [...found.value, other.value] : found.value, params.get('align') ?? 'start', params.get('aside') === '1' ? 1 : 0)} player={player}>
        <WhatIf
          key={key}
          run={run}
          player={player}
          waiting={waiting.value}
          failed={failed.value}
          simulated={other.value}
          onAsk={(seconds) => {
            player.seek(seconds)
            askedHere.current = true
          }}
        />
      </Show>
    </div>
  )
}

export function open(run: string, key: string): void {
  const kept = new URLSearchParams(route.value.params)
  go(href('episode', run, { from: kept.get('from'), to: kept.get('to'), with: kept.get('with'), align: kept.get('align') }, [key]))
}

/** Which episode is looked at, and with which others. */
function Choice({ run, lead, neighbour }: { run: string; lead: Loaded; neighbour: (by: number) => void }) {
  const { params } = route.value
  const [from, to] = [params.get('from'), params.get('to')]
  const picked = useSignal<Record<string, string>>({})
  useEffect(() => {
    const aborted = new AbortController()
    extremes(run, { from, to }, aborted.signal).then(
      (rows) => (picked.value = Object.fromEntries(Object.entries(rows).map(([name, row]) => [name, row.key]))),
      () => undefined,
    )
    return () => aborted.abort()
  }, [run, from, to])
  const ghosts = (params.get('with') ?? '').split(',').filter(Boolean)
  const add = (event: Event) => {
    event.preventDefault()
    const field = (event.currentTarget as HTMLFormElement).elements.namedItem('ghost') as HTMLInputElement
    if (field.value.trim()) setParams({ with: [...ghosts, field.value.trim()].join() }, 'push')
    field.value = ''
  }
  return (
    <div class="tools choice">
      <span class="muted">{from || to ? t('window', { from: compact(Number(from ?? 0)), to: to ? compact(Number(to)) : '…' }) : t('whole')}</span>
      {(['worst', 'median', 'best'] as const).map((name) => {
        const key = picked.value[name]
        return <button key={name} disabled={!key} aria-pressed={key === lead.episode.facts.key} onClick={() => key && open(run, key)}>{t(name)}</button>
      })}
      <button onClick={() => neighbour(-1)} aria-label={t('older')}>‹</button>
      <button onClick={() => neighbour(1)} aria-label={t('newer')}>›</button>
      <label><input type="checkbox" checked={params.get('live') === '1'} onChange={(event) => (event.currentTarget.checked ? go(href('episode', run, { live: '1' }, ['latest'])) : setParams({ live: null }))} /> {t('live')}</label>
      <span class="grow" />
      <form onSubmit={add}>
        <label>{t('compare')} <input name="ghost" size={14} placeholder="best" title={t('compareSays')} list="ghosts" /></label>
        <datalist id="ghosts">{['worst', 'median', 'best', 'latest'].map((name) => <option key={name} value={name} />)}</datalist>
        <button>{t('compareAdd')}</button>
      </form>
      {ghosts.length > 0 && (
        <>
          <label>{t('align')} <select value={params.get('align') ?? 'start'} onChange={(event) => setParams({ align: event.currentTarget.value })}>
            <option value="start">{t('atStart')}</option>
            <option value="touchdown">{t('atTouchdown')}</option>
          </select></label>
          <label><input type="checkbox" checked={params.get('aside') === '1'} onChange={(event) => setParams({ aside: event.currentTarget.checked ? '1' : null })} /> {t('aside')}</label>
          <button onClick={() => setParams({ with: null, align: null, aside: null })}>{t('alone')}</button>
        </>
      )}
    </div>
  )
}
