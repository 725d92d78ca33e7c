/** One episode in one file: everything is in the page, nothing is asked for. */
import { render } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { handleKey, useKeys } from '../shell/keys'
import { dark, toggleTheme } from '../shell/theme'
import { language, LANGUAGES } from '../shell/words'
import '../style.css'
import { openEpisode, readColumns } from './episode'
import { Player } from './player'
import { openScene } from './scene'
import { Show } from './show'
import { loaded, type Loaded } from './source'

/** Compressed and in letters, as `trackway share` wrote it. */
async function embedded(id: string): Promise<ArrayBuffer | null> {
  const text = document.getElementById(id)?.textContent?.trim()
  if (!text) return null
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))).arrayBuffer()
}

async function open(): Promise<Loaded> {
  const [episode, scene, columns] = await Promise.all(['episode', 'scene', 'columns'].map(embedded))
  const further = columns ? readColumns(columns).columns : new Map()
  return loaded(openEpisode(episode!), scene ? openScene(scene) : null, async () => further)
}

const nextLanguage = () => (language.value = LANGUAGES[(LANGUAGES.indexOf(language.value) + 1) % LANGUAGES.length] ?? 'en')

function Shared({ lead }: { lead: Loaded }) {
  const player = useMemo(() => new Player(), [])
  const [title] = useState(document.title)
  useEffect(() => {
    player.open(lead.episode.duration, lead.episode.stepS)
    player.playing.value = true
    player.start()
    document.addEventListener('keydown', handleKey)
    return player.stop
  }, [])
  useKeys([])
  return (
    <>
      <header class="bar">
        <b class="brand">Trackway</b>
        <h1 class="muted shared-title">{title}</h1>
        <span class="grow" />
        <button class="quiet" onClick={nextLanguage} lang={language.value === 'en' ? 'ko' : 'en'}>{language.value === 'en' ? '한국어' : 'English'}</button>
        <button class="quiet" onClick={toggleTheme} aria-label={dark.value ? 'light' : 'dark'}>{dark.value ? '☀' : '☾'}</button>
      </header>
      <main id="content"><Show parts={[{ loaded: lead }]} player={player} /></main>
    </>
  )
}

void open().then((lead) => render(<Shared lead={lead} />, document.body))
