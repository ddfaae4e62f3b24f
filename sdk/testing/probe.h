/// The public Probe, under the path by which the SDK's own tests know it.
#pragma once

#include <kaido/testing/probe.h>
