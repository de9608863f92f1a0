// The page at /ops/rooms/{id}: the editor of one room.

import { useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { Link } from 'wouter-preact';
import { answered, api } from '../api/client';
import type { components } from '../api/schema';
import { download } from '../common/download';
import { useLoaded } from '../common/loading';
import { Notice, Shown } from '../common/pieces';
import { AddRows, aislesIn, type BlockForm } from './add_rows';
import { Canvas, useKeys } from './canvas';
import { Editor, type Tool } from './editor';
import './editor.css';
import { Check } from './fields';
import { csvOf, planFromFile, UnreadableFile } from './files';
import { USUAL_LABELS, USUAL_NUMBERS } from './numbering';
import { layoutOf, type LayoutDocument, planOf } from './plan';
import { PreviewDialog } from './preview';
import { Faults, FocusProperties, Properties, Rows, ScreenProperties } from './properties';
import { PublishDialog } from './publish';

interface Opened {
  room: components['schemas']['Room'];
  layout: LayoutDocument;
  types: Record<string, string>;
}

async function load(roomId: number): Promise<Opened> {
  const path = { room_id: roomId };
  const [room, layout, types] = await Promise.all([
    answered(api.GET('/api/v1/rooms/{room_id}', { params: { path } })),
    answered(api.GET('/api/v1/rooms/{room_id}/layout', { params: { path } })),
    answered(api.GET('/api/v1/seat-types/')),
  ]);
  const words = (name: string) => name === 'vip' ? 'VIP' : name.charAt(0).toUpperCase() + name.slice(1).replaceAll('_', ' ');
  return { room, layout, types: Object.fromEntries(types.map(({ name }) => [name, words(name)])) };
}

export function RoomPage({ roomId }: { roomId: number }) {
  const loaded = useLoaded(() => load(roomId), [roomId]);
  return <Shown loaded={loaded}>{(opened) => <RoomEditor key={roomId} {...opened} />}</Shown>;
}

const TOOLS: readonly [Tool, string, string][] = [
  ['select', 'Select', 'V'],
  ['rows', 'Rows', 'R'],
  ['section', 'Section', 'S'],
  ['aisle', 'Aisle', 'I'],
  ['pan', 'Pan', 'H'],
];

const USUAL_BLOCK: BlockForm = {
  rows: 10,
  seatsPerRow: 20,
  aisles: '',
  seatSpacing: 1,
  rowSpacing: 1,
  curve: 0,
  type: 'standard',
  labels: USUAL_LABELS,
  numbers: USUAL_NUMBERS,
};

function RoomEditor({ room, layout, types }: Opened) {
  const editor = useMemo(() => {
    const made = new Editor();
    made.open(planOf(layout));
    return made;
  }, []);
  const form = useSignal(USUAL_BLOCK);
  const version = useSignal(layout.version);
  const news = useSignal<{ tone: 'good' | 'bad'; text: string } | null>(null);
  const [dialog, setDialog] = useState<'publish' | 'preview' | null>(null);
  useKeys(editor);
  useSignalEffect(() => {
    document.title = `${editor.isChanged.value ? '• ' : ''}${room.name} · Frontrow operations`;
  });
  useEffect(() => {
    const warn = (event: BeforeUnloadEvent) => {
      if (editor.isChanged.peek()) event.preventDefault();
    };
    addEventListener('beforeunload', warn);
    return () => removeEventListener('beforeunload', warn);
  }, []);

  const plan = editor.plan.value;
  const read = async (file: File | undefined) => {
    if (!file) return;
    try {
      editor.change(planFromFile(file.name, await file.text(), editor.plan.value), 'File imported.');
      editor.select([]);
      editor.showAll();
      news.value = { tone: 'good', text: `${file.name} is in the drawing now: ${editor.plan.value.seats.length} seats.` };
    } catch (error) {
      if (!(error instanceof UnreadableFile)) throw error;
      news.value = { tone: 'bad', text: `${file.name}: ${error.message}` };
    }
  };

  return (
    <div class="editor">
      <header class="row row-apart editor-head">
        <div>
          <nav aria-label="Path">
            <Link href="/ops/rooms">Rooms</Link>
          </nav>
          <h1>{room.name}</h1>
        </div>
        <div class="row">
          <span class={editor.isChanged.value ? 'badge badge-warn' : 'badge'}>
            {plan.seats.length === 1 ? '1 seat' : `${plan.seats.length} seats`}{editor.isChanged.value ? ', not published' : `, version ${version.value}`}
          </span>
          <button type="button" class="button button-quiet" onClick={() => setDialog('preview')}>
            Preview
          </button>
          <button
            type="button"
            class="button"
            disabled={!editor.isChanged.value || editor.faults.value.length > 0}
            onClick={() => setDialog('publish')}
          >
            Publish…
          </button>
        </div>
      </header>
      {news.value && (
        <Notice tone={news.value.tone}>
          <span>{news.value.text}</span>
          <button type="button" class="button button-quiet" onClick={() => (news.value = null)}>
            Close
          </button>
        </Notice>
      )}
      <Toolbar editor={editor} roomId={room.id} version={version.value} read={read} />
      <div class="editor-body">
        <Canvas
          editor={editor}
          template={() => {
            const { rows: _, seatsPerRow: __, aisles, ...shape } = form.peek();
            return { ...shape, aislesAfter: aislesIn(aisles) };
          }}
        />
        <aside class="editor-panel" aria-label="Properties">
          <Faults editor={editor} />
          <AddRows editor={editor} form={form} types={types} />
          <Properties editor={editor} types={types} />
          <ScreenProperties editor={editor} />
          <FocusProperties editor={editor} />
          <Rows editor={editor} />
        </aside>
      </div>
      <p class="visually-hidden" role="status">
        {editor.said.value}
      </p>
      {dialog === 'preview' && <PreviewDialog plan={plan} close={() => setDialog(null)} />}
      {dialog === 'publish' && (
        <PublishDialog
          roomId={room.id}
          layout={layoutOf(plan, version.value)}
          rebase={(newer) => (version.value = newer)}
          published={(newer) => {
            version.value = newer;
            editor.published(plan);
            setDialog(null);
            news.value = { tone: 'good', text: `Published: ${plan.seats.length} seats are on sale with all screenings to come.` };
          }}
          close={() => setDialog(null)}
        />
      )}
    </div>
  );
}

function Toolbar({
  editor,
  roomId,
  version,
  read,
}: {
  editor: Editor;
  roomId: number;
  version: number;
  read: (file: File | undefined) => Promise<void>;
}) {
  const save = (name: string, type: string, content: string) => download(new Blob([content], { type }), name);
  return (
    <div class="editor-toolbar" role="toolbar" aria-label="Tools">
      <div class="editor-group">
        {TOOLS.map(([tool, words, key]) => (
          <button
            key={tool}
            type="button"
            class="editor-tool"
            aria-pressed={editor.tool.value === tool}
            title={`${words} (${key})`}
            onClick={() => (editor.tool.value = tool)}
          >
            {words}
          </button>
        ))}
      </div>
      <div class="editor-group">
        <button type="button" class="editor-tool" disabled={!editor.canUndo.value} title="Undo (Ctrl+Z)" onClick={() => editor.undo()}>
          Undo
        </button>
        <button type="button" class="editor-tool" disabled={!editor.canRedo.value} title="Redo (Ctrl+Y)" onClick={() => editor.redo()}>
          Redo
        </button>
      </div>
      <div class="editor-group">
        <button type="button" class="editor-tool" aria-label="Zoom out" title="Zoom out (-)" onClick={() => editor.zoom(0.8)}>
          −
        </button>
        <button type="button" class="editor-tool" aria-label="Zoom in" title="Zoom in (+)" onClick={() => editor.zoom(1.25)}>
          +
        </button>
        <button type="button" class="editor-tool" title="Show everything (0)" onClick={() => editor.showAll()}>
          Fit
        </button>
      </div>
      <Check label="Snap" value={editor.snaps.value} set={(value) => (editor.snaps.value = value)} />
      <div class="editor-group editor-files">
        <label class="editor-tool">
          Import
          <input
            class="visually-hidden"
            type="file"
            accept=".json,.csv,application/json,text/csv"
            aria-label="Import a JSON or CSV file"
            onChange={({ currentTarget }) => {
              void read(currentTarget.files?.[0]);
              currentTarget.value = '';
            }}
          />
        </label>
        <button
          type="button"
          class="editor-tool"
          onClick={() => save(`room-${roomId}.json`, 'application/json', `${JSON.stringify(layoutOf(editor.plan.value, version), null, 1)}\n`)}
        >
          Export JSON
        </button>
        <button type="button" class="editor-tool" onClick={() => save(`room-${roomId}.csv`, 'text/csv', csvOf(editor.plan.value.seats))}>
          Export CSV
        </button>
      </div>
    </div>
  );
}
