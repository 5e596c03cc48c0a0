-- Shared by the scripts of a room whose rules the caller has checked and whose presence is announced, as `presence:update`. A
-- script assigns HEAD, the fields with which the payload begins (JSON). Stands in front of rooms/lib/presence.

local HEAD
noted = true

local function tell_presence(count, rest)
  publish('* - - -\n["presence:update",{' .. HEAD .. ',"count":' .. count .. ',' .. rest .. '}]')
end
