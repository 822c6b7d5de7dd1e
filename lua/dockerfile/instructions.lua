--- Who reads and who carries out which instruction. Pure.
local command = require "holos.dockerfile.instruction.command"
local copy = require "holos.dockerfile.instruction.copy"
local from = require "holos.dockerfile.instruction.from"
local health = require "holos.dockerfile.instruction.health"
local note = require "holos.dockerfile.instruction.note"
local parse = require "holos.dockerfile.parse"
local place = require "holos.dockerfile.instruction.place"
local run = require "holos.dockerfile.instruction.run"
local text_ = require "holos.core.text"
local variables = require "holos.dockerfile.instruction.variables"

local M = {}

--- The module of each instruction: `read(node)` gives what it says, or nil, message and hint; `apply(state, command, node)`
--- carries it out.
M.handlers = {
  ADD = copy, ARG = variables, CMD = command, COPY = copy, ENTRYPOINT = command, ENV = variables, EXPOSE = place, FROM = from,
  HEALTHCHECK = health, LABEL = variables, MAINTAINER = note, ONBUILD = note, RUN = run, SHELL = command, STOPSIGNAL = place,
  USER = place, VOLUME = place, WORKDIR = place,
}

local function unknown(node)
  local nearest = parse.nearest(node.name)
  return nil, "unknown instruction: " .. text_.truncate(node.written, 40),
    nearest and ("did you mean %s?"):format(nearest) or text_.odd_character(node.written)
end

--- What an instruction says; nil, message and hint when it says nothing that can be done.
---@return table? command
---@return string? message
---@return string? hint
function M.read(node)
  if node.is_unknown then return unknown(node) end
  return M.handlers[node.name].read(node)
end

--- Carries out what an instruction says.
function M.apply(state, said, node) M.handlers[node.name].apply(state, said, node) end

return M
