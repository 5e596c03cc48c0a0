-- Shared: how the presence of an SOS is announced: to the room, and to the SOS service. Stands in front of rooms/lib/presence.

local has_state -- looked up once

-- `outside`: some changes were not made by the SOS service. `who`: the user, if it is only one.
local function tell_presence(count, rest, who, outside)
  local data = '{"sosId":"' .. SOS .. '","count":' .. count .. ',' .. rest .. '}'
  broadcast('presence:update', data)
  if not outside then return end
  if has_state == nil then has_state = call('HEXISTS', STATE, 'status') == 1 end
  local source = SOURCE
  SOURCE = has_state and 'socket' or 'internal'
  outbox('presence', who, data)
  SOURCE = source
end
