import { useEffect } from 'preact/hooks'
import { pages } from '../pages'
import { RunBadge } from '../runs/badge'
import { handleKey, useKeys, type Key } from './keys'
import { helpOpen, KeysHelp } from './keys-help'
import { PageSlot } from './page-slot'
import { go, href, route } from './route'
import { t } from './shell-words'
import { dark, toggleTheme } from './theme'
import { language, LANGUAGES } from './words'

const tabs = Object.entries(pages).filter(([, page]) => page.of === 'run' && !page.hidden)
const overall = Object.entries(pages).filter(([, page]) => page.of === 'all' && !page.hidden)

const switchLanguage = () => {
  language.value = LANGUAGES[(LANGUAGES.indexOf(language.value) + 1) % LANGUAGES.length] ?? 'en'
}

function step(by: number): void {
  const { run, page } = route.value
  const at = tabs.findIndex(([name]) => name === page)
  const next = tabs[(at + by + tabs.length) % tabs.length]
  if (run !== null && at >= 0 && next) go(href(next[0], run))
}

const shellKeys: Key[] = [
  { key: '?', says: () => t('keysHelp'), act: () => (helpOpen.value = !helpOpen.value) },
  ...Object.entries(pages).flatMap(([name, page]): Key[] =>
    page.key
      ? [{
          key: `g ${page.key}`,
          says: () => t('keyGo', { page: t(page.title) }),
          act: () => {
            const { run } = route.value
            if (page.of === 'all') go(href(name))
            else if (run !== null) go(href(name, run))
          },
        }]
      : [],
  ),
  { key: '[', says: () => t('keyPrevious'), act: () => step(-1) },
  { key: ']', says: () => t('keyNext'), act: () => step(1) },
  { key: 't', says: () => t('keyTheme'), act: toggleTheme },
  { key: 'l', says: () => t('keyLanguage'), act: switchLanguage },
]

export function App() {
  const { page, run } = route.value
  useKeys(shellKeys)
  useEffect(() => {
    document.addEventListener('keydown', handleKey)
    return () => document.removeEventListener('keydown', handleKey)
  }, [])
  const entry = Object.hasOwn(pages, page) ? pages[page] : undefined
  const title = entry ? t(entry.title) : t('notThere')
  useEffect(() => {
    document.title = `${run === null ? title : `${run} · ${title}`} — Trackway`
  }, [title, run])
  // On a phone the tabs are wider than the screen.
  useEffect(() => document.querySelector('.tabs [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' }), [page, run])
  return (
    <>
      <a class="skip" href="#content" onClick={focusContent}>{t('skip')}</a>
      <header class="bar">
        <a class="brand" href={href('runs')}>
          <img src="./icon.svg" alt="" width="22" height="22" />
          <span>Trackway</span>
        </a>
        <nav aria-label={t('allPages')}>
          {overall.map(([name, each]) => (
            <a key={name} href={href(name)} aria-current={name === page ? 'page' : undefined}>{t(each.title)}</a>
          ))}
        </nav>
        <span class="grow" />
        <button class="quiet" onClick={() => (helpOpen.value = true)} aria-label={t('keysTitle')} title={t('keysHelp')}>?</button>
        <button class="quiet" onClick={switchLanguage} title={t('languageSays')} lang={language.value === 'en' ? 'ko' : 'en'}>{t('language')}</button>
        <button class="quiet" onClick={toggleTheme} aria-label={dark.value ? t('toLight') : t('toDark')} title={dark.value ? t('toLight') : t('toDark')}>
          {dark.value ? '☀' : '☾'}
        </button>
      </header>
      {run !== null && (
        <section class="bar run-bar" aria-label={run}>
          <RunBadge run={run} />
          <nav aria-label={t('pagesOfRun')} class="tabs">
            {tabs.map(([name, each]) => (
              <a key={name} href={href(name, run)} aria-current={name === page ? 'page' : undefined}>{t(each.title)}</a>
            ))}
          </nav>
        </section>
      )}
      <main id="content" tabIndex={-1}>
        <h1 class="unseen">{title}</h1>
        <PageSlot page={page} run={run ?? ''} />
      </main>
      <KeysHelp />
    </>
  )
}

function focusContent(event: Event): void {
  event.preventDefault() // the fragment is the address of the view
  document.getElementById('content')?.focus()
}
