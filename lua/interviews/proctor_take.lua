-- Something was noticed about the candidate. The first of a run acts: it deducts trust and alerts. Events of one type no more than a
-- second apart are one run, and one row of PostgreSQL.
-- KEYS all of lib/session
-- ARGV 1–8 as in lib/session   9 type   10 its counter: faces, tabs, fullscreen or suspicious ('' it deducts nothing)
--      11–14 what each of these deducts   15 so many within 5 s must come before one acts   16 it alerts if it acts ('1' or '')
--      17 fields of the alert's payload, JSON   18 id of the row, if it is a new one   19 the event, JSON
-- Returns { 'ok', …, row, count, first at, last at, acted, alerted, trust or -1 if it is the same as before, resumed, ms until the timer
--         that this call has set or -1 }; { 'busy', … } very many rows wait to be stored; or a refusal
--
-- interview:session: pr:<type> → `<row> <first at> <last at> <count> <number> <acted> <times of those that have not acted>`, for the
-- first 64 types, pn of them; pe:<number> → `<row> <first at> <last at> <count>\n<event>` for rows that are not stored as they are
-- now, from ph to pt; pl: how many entries of interview:log are of this kind.
local RUN_MS, WINDOW_MS, TYPES, PENDING, TOLD = 1000, 5000, 64, 1000, 5000
local COUNTERS = { 'faces', 'tabs', 'fullscreen', 'suspicious' }
local first = open(USER, DUPLICATE)
if first then return first end
load()
due_open(KEYS[7])
local refused = refusal()
if refused then return refuse(refused) end
local field = 'pr:' .. ARGV[9]
local f = call('HMGET', SESSION, field, 'pn', 'ph', 'pt', 'pl', 'trust', unpack(COUNTERS))
local types, head, tail, told = tonumber(f[2] or 0), tonumber(f[3] or 1), tonumber(f[4] or 0), tonumber(f[5] or 0)
if tail - head + 1 >= PENDING then return refuse('busy') end
if not f[1] then
  -- A client may name any type: beyond the first, each event is a run of its own.
  if types >= TYPES then field = 'pr:' else set('pn', types + 1) end
end
local row, first_at, last_at, count, number, acted, waiting =
  string.match(f[1] or '', '^(%S+) (%d+) (%d+) (%d+) (%d+) (%d) ?(.*)$')
if row and now - last_at <= RUN_MS then
  count, number = count + 1, tonumber(number)
else
  row, first_at, count, number, acted = ARGV[18], now, 1, 0, '0'
end
last_at = now

local acts = false
local times = {}
for time in string.gmatch(waiting or '', '%d+') do
  if now - time <= WINDOW_MS then times[#times + 1] = time end
end
if acted == '0' then
  times[#times + 1] = now
  acts = #times >= tonumber(ARGV[15])
  if acts then acted, times = '1', {} end
end
if number < head or call('HEXISTS', SESSION, 'pe:' .. number) == 0 then
  number = tail + 1
  set('pt', number)
end
local times_of = row .. ' ' .. string.format('%.0f %.0f', first_at, last_at) .. ' ' .. count
set('pe:' .. number, times_of .. '\n' .. ARGV[19])
set(field, times_of .. ' ' .. number .. ' ' .. acted .. ' ' .. table.concat(times, ','))

-- A candidate shall not push everything else out of what observers are shown later.
local function show(event, data)
  if told >= TOLD then return tell(OBSERVER, event, data) end
  observed(event, data)
  told = told + 1
  set('pl', told)
end

local resumed, alerted, trust = resume(), acts and ARGV[16] == '1', -1
if alerted then show('proctor-alert', stamped(ARGV[17])) end
if acts and ARGV[10] ~= '' then
  local left = 100
  for i, counter in ipairs(COUNTERS) do
    local n = tonumber(f[6 + i] or 0)
    if counter == ARGV[10] then
      n = n + 1
      set(counter, n)
    end
    left = left - n * ARGV[10 + i]
  end
  left = math.max(left, 0)
  if left ~= tonumber(f[6] or 100) then
    trust = left
    set('trust', left)
    show('trust-score-update', stamped('"trustScore":' .. left))
  end
end
ensure()
work()
return done('ok', row, count, tonumber(first_at), now, acts and 1 or 0, alerted and 1 or 0, trust, resumed and 1 or 0, due_in)
