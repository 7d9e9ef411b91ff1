using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http.Resources;
using Bellhop.Tests.Support;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Mono.Cecil;
using Xunit;

namespace Bellhop.Tests.Architecture;

/// <summary>Every change of the control plane has a name on it: whoever makes one records it, read from the compiled code.</summary>
public sealed class AuditRules(ServiceFixture service)
{
    /// <summary>What changes something and is not recorded, each with its reason.</summary>
    private static readonly Dictionary<string, string> Unrecorded = new(StringComparer.Ordinal)
    {
        ["AddJobLogs"] = "the data plane",
        ["AddRingKey"] = "changes a file, and has no database",
        ["BenchJobs"] = "the data plane, on a queue of its own",
        ["CheckAccess"] = "asks",
        ["CheckConnection"] = "asks, and sends what changes nothing there",
        ["ClaimJobs"] = "the data plane",
        ["CompleteJob"] = "the data plane",
        ["EnqueueJob"] = "the data plane",
        ["EnqueueJobs"] = "the data plane",
        ["FailJob"] = "the data plane",
        ["FinishJobs"] = "the data plane",
        ["HeartbeatJobs"] = "the data plane",
        ["Migrate"] = "the schema has a record of its own",
        ["PublishEvent"] = "the data plane",
        ["PublishEvents"] = "the data plane",
        ["ReceiveWebhook"] = "the data plane",
        ["ReleaseJob"] = "the data plane",
        ["RequestReset"] = "asked for by anybody; the reset itself is recorded",
        ["RunWorker"] = "has no database; what it does is the data plane of the service it works for",
        ["SnoozeJob"] = "the data plane",
    };

    private static readonly TypeDefinition[] Slices =
    [
        .. CompiledCode.Types.Where(type => !type.IsNested && type.NestedTypes.Any(nested => nested.Name == "Handler")),
    ];

    // what a handler may leave it to: a part that records, or one that leaves it to such a part
    private static readonly HashSet<string> Recorders = FindRecorders();

    [Fact]
    public void Every_slice_that_changes_something_records_it()
    {
        var changing = Slices.Where(Changes).ToArray();

        Assert.True(changing.Length > 30, $"{changing.Length} slices");
        var missing = changing.Where(slice => !Records(slice)).Select(slice => slice.Name).Except(Unrecorded.Keys);
        Assert.True(!missing.Any(), $"not recorded: {string.Join(' ', missing.Order())}");
    }

    [Fact]
    public void The_list_of_what_is_not_recorded_is_not_stale() =>
        Assert.Equal(
            [],
            Unrecorded.Keys.Except(Slices.Where(slice => Changes(slice) && !Records(slice)).Select(slice => slice.Name))
        );

    /// <summary>Or the rule above could be passed by a name.</summary>
    [Fact]
    public void What_a_route_sends_to_change_something_is_a_command()
    {
        var names = service
            .Services.GetRequiredService<EndpointDataSource>()
            .Endpoints.Where(endpoint =>
                endpoint
                    .Metadata.GetMetadata<HttpMethodMetadata>()
                    ?.HttpMethods.Any(method => method is "POST" or "PUT" or "PATCH" or "DELETE") == true
            )
            .Select(endpoint => endpoint.Metadata.GetMetadata<IEndpointNameMetadata>()!.EndpointName)
            .ToArray();

        Assert.Contains("PutSecret", names);
        Assert.All(
            names,
            name =>
                Assert.Contains(
                    Slices.Single(slice => slice.Name == name).NestedTypes,
                    nested => nested.Name == "Command"
                )
        );
    }

    // by a person or a program: duties and jobs carry out what was recorded when it was asked for
    private static bool Changes(TypeDefinition slice) =>
        slice.NestedTypes.Any(nested => nested.Name is "Endpoint" or "Verb")
        && slice.NestedTypes.Any(nested => nested.Name == "Command");

    private static bool Records(TypeDefinition slice) =>
        WithNested(slice.NestedTypes.Single(nested => nested.Name == "Handler"))
            .SelectMany(CompiledCode.MembersUsed)
            .Any(member => Recorders.Any(recorder => member.StartsWith(recorder, StringComparison.Ordinal)));

    private static HashSet<string> FindRecorders()
    {
        var found = new HashSet<string>(StringComparer.Ordinal)
        {
            $"{typeof(AuditTrail).FullName}::RecordAsync",
            typeof(ConfigurationStore<,>).FullName!,
        };
        var parts = CompiledCode
            .Types.Where(type =>
                !type.IsNested
                && type.Namespace.StartsWith("Bellhop.Features.", StringComparison.Ordinal)
                && !Slices.Contains(type)
            )
            .ToArray();
        foreach (var part in parts.Where(part => part.Name == "AccountAudit"))
        {
            found.Add($"{part.FullName}::");
        }

        int before;
        do
        {
            before = found.Count;
            foreach (
                var method in parts.SelectMany(part =>
                    part.Methods.Where(method => Calls(part, method).Any(call => found.Any(call.StartsWith)))
                )
            )
            {
                found.Add($"{method.DeclaringType.FullName}::{method.Name}");
            }
        } while (found.Count > before);

        return found;
    }

    /// <summary>What the method and its lambdas call, also where the compiler made a state machine of it.</summary>
    private static IEnumerable<string> Calls(TypeDefinition part, MethodDefinition method) =>
        CompiledCode
            .MembersUsed(method)
            .Concat(
                part.NestedTypes.Where(nested => nested.Name.StartsWith($"<{method.Name}>", StringComparison.Ordinal))
                    .SelectMany(CompiledCode.MembersUsed)
            )
            .Concat(
                part.NestedTypes.SelectMany(nested => nested.Methods)
                    .Where(lambda => lambda.Name.StartsWith($"<{method.Name}>b__", StringComparison.Ordinal))
                    .SelectMany(CompiledCode.MembersUsed)
            );

    private static IEnumerable<TypeDefinition> WithNested(TypeDefinition type) =>
        type.NestedTypes.SelectMany(WithNested).Prepend(type);
}
