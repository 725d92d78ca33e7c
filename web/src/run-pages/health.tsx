import type { ComponentChildren } from 'preact'
import type { Health, StreamHealth } from '../messages'
import type { PageProps } from '../shell/page'
import { at } from '../shell/api'
import { useAnswer } from '../shell/ask'
import { Command } from '../shell/copy'
import { bytes, duration, figure, moment, percent, whole } from '../shell/format'
import { Failure, Notice, Waiting } from '../shell/notices'
import { Said, said } from '../shell/said'
import { health as t } from './words'
import './run-pages.css'

export default function HealthPage({ run }: PageProps) {
  const answer = useAnswer<Health>(at`runs/${run}/health`, {}, 2000)
  const told = answer.value.value
  if (!told) return answer.value.failure ? <Failure error={answer.value.failure} again={answer.again} /> : <Waiting />
  if (!told.streams.length) return <Notice title={t('none')}>{t('noneSays')}</Notice>
  const lost = told.streams.reduce((sum, stream) => sum + stream.lost, 0)
  const rows = told.streams.reduce((sum, stream) => sum + stream.rows, 0)
  const short = told.needed_bytes !== null && told.needed_bytes > told.disk_free_bytes
  return (
    <div class="page">
      <dl class="tiles">
        <Tile name={t('rows')} value={whole(rows)} />
        <Tile name={t('lost')} value={whole(lost)} tone={lost ? 'bad' : 'good'} />
        {told.lag_ms !== null && <Tile name={t('lag')} value={t('ago', { time: told.lag_ms < 10_000 ? `${figure(told.lag_ms / 1000, 2)} s` : duration(told.lag_ms / 1000) })} />}
        <Tile name={t('overhead')} value={percent(told.waited_share, 3)} />
        <Tile name={t('size')} value={bytes(told.size_bytes)} more={told.bytes_per_s !== null && t('perHour', { size: bytes(told.bytes_per_s * 3600) })} />
        <Tile name={t('free')} value={bytes(told.disk_free_bytes)} tone={short ? 'bad' : ''}
          more={told.needed_bytes !== null ? t(short ? 'tooMuch' : 'fits', { size: bytes(told.needed_bytes) }) : told.days_left !== null && t('daysLeft', { time: duration(told.days_left * 86400) })} />
      </dl>
      <Part title={t('streams')} says={t('streamsSays')}>
        <table>
          <thead>
            <tr>
              <th>{t('stream')}</th><th>{t('attempt')}</th><th>{t('state')}</th><th class="num">{t('rows')}</th><th class="num">{t('lost')}</th>
              <th class="num">{t('inMemory')}</th><th>{t('waits')}</th><th>{t('files')}</th><th class="num">{t('size')}</th>
            </tr>
          </thead>
          <tbody>{told.streams.map((stream) => <Row key={`${stream.attempt}/${stream.stream}`} stream={stream} verify={told.verify} />)}</tbody>
        </table>
      </Part>
      <div class="two">
        <Part title={t('places')}>
          <table>
            <thead><tr><th>{t('kind')}</th><th class="num">{t('count')}</th><th class="num">{t('size')}</th><th>{t('share')}</th></tr></thead>
            <tbody>
              {told.places.map((place) => (
                <tr key={place.name}>
                  <td>{t.maybe(`place_${place.name}`) ?? place.name}</td>
                  <td class="num">{whole(place.files)}</td>
                  <td class="num">{bytes(place.size_bytes)}</td>
                  <td class="progress-cell"><progress max={1} value={place.size_bytes / (told.size_bytes || 1)} aria-label={percent(place.size_bytes / (told.size_bytes || 1))} /></td>
                </tr>
              ))}
            </tbody>
          </table>
        </Part>
        <section class="chart detail">
          <h2>{t('sync')}</h2>
          {told.stores.length === 0 ? (
            <>
              <p class="muted">{t('syncNone')}</p>
              <Command text={`trackway sync ${run} s3://my-bucket/runs`} />
            </>
          ) : (
            <ul class="plain">
              {told.stores.map((store) => (
                <li key={store.name}>{t('syncTold', { files: whole(store.files), size: bytes(store.size_bytes), when: moment(store.told_unix) })} <small>{t('epoch')} {store.epoch}</small></li>
              ))}
            </ul>
          )}
          <h3>{t('check')}</h3>
          <Command text={told.verify} />
        </section>
      </div>
    </div>
  )
}

function Tile({ name, value, more, tone = '' }: { name: string; value: string; more?: string | false; tone?: string }) {
  return (
    <div class="tile">
      <dt>{name}</dt>
      <dd class={tone}>{value}</dd>
      {more && <dd class="more">{more}</dd>}
    </div>
  )
}

function Part({ title, says, children }: { title: string; says?: string; children: ComponentChildren }) {
  return (
    <section class="group">
      <h2>{title}</h2>
      {says && <p class="muted">{says}</p>}
      <div class="scroll" tabIndex={0} role="region" aria-label={title}>{children}</div>
    </section>
  )
}

function Row({ stream, verify }: { stream: StreamHealth; verify: string }) {
  return (
    <tr>
      <td><b>{stream.stream}</b></td>
      <td class="when">{stream.attempt}</td>
      <td>
        <StreamState stream={stream} verify={verify} />
        {stream.faults.map((fault) => <small class="bad fault" key={fault}><Said text={fault} /></small>)}
      </td>
      <td class="num">{whole(stream.rows)}</td>
      <td class={`num ${stream.lost ? 'bad' : ''}`}>{whole(stream.lost)}</td>
      <td class="num">{stream.recording ? whole(stream.waiting) : '–'}</td>
      <td>{stream.waits ? t('waitsSays', { times: stream.waits, seconds: figure(stream.waited_s) }) : '–'}</td>
      <td class="when">{t('fileCounts', { segments: stream.segments, parts: stream.parts })}</td>
      <td class="num">{bytes(stream.size_bytes)}</td>
    </tr>
  )
}

function StreamState({ stream, verify }: { stream: StreamHealth; verify: string }) {
  if (stream.failing) return <span class="bad">{t('refused', { why: said(stream.failing) })}</span>
  if (stream.recording) return <span class="state running">{t('recording')}</span>
  if (stream.checking) return <span class="muted">{t('checking')}</span>
  if (stream.verified === null) return <span class="muted" title={verify}>{t('large')} <code>trackway verify</code></span>
  return stream.verified ? <span class="good">{t('whole')}</span> : <span class="bad">{t('notWhole')}</span>
}
