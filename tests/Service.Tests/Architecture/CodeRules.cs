using System.Text.RegularExpressions;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Architecture;

/// <summary>What product code leaves to others: the clock, the way out, the comparison of secrets.</summary>
public sealed class CodeRules
{
    [Fact]
    public void Time_comes_from_TimeProvider()
    {
        string[] clocks =
        [
            "System.DateTime::get_UtcNow",
            "System.DateTime::get_Now",
            "System.DateTime::get_Today",
            "System.DateTimeOffset::get_UtcNow",
            "System.DateTimeOffset::get_Now",
            "System.Threading.Thread::Sleep",
        ];

        // the embedded server is started before there is a host to ask for a clock
        AssertUsedOnlyBy(
            clocks,
            "Bellhop.Infrastructure.Database.EmbeddedCluster",
            "Bellhop.Infrastructure.Database.ServerPrograms"
        );
    }

    [Fact]
    public void Requests_leave_through_Outgoing_only() =>
        AssertUsedOnlyBy(
            [
                "System.Net.Http.HttpClient::.ctor",
                "System.Net.Http.SocketsHttpHandler::.ctor",
                "System.Net.Http.HttpMessageInvoker::.ctor",
            ],
            "Bellhop.Infrastructure.Outgoing.",
            // asks this very service on its internal port
            "Bellhop.Features.System.GetHealth"
        );

    [Fact]
    public void Bytes_that_prove_somebody_are_compared_in_constant_time() =>
        AssertUsedOnlyBy(
            ["System.MemoryExtensions::SequenceEqual", "System.Linq.Enumerable::SequenceEqual"],
            // hashes that whoever reads the record may see
            "Bellhop.Features.Audit.",
            // what a key of the ring makes of a fixed text
            "Bellhop.Infrastructure.Database.Storage"
        );

    [Fact]
    public void What_is_sealed_has_a_column_that_rotation_visits() =>
        AssertUsedOnlyBy(
            ["Bellhop.Infrastructure.Secrets.AssociatedData::.ctor"],
            "Bellhop.Infrastructure.Secrets.SealedColumn",
            "Bellhop.Infrastructure.Secrets.AssociatedData"
        );

    [Fact]
    public void Migrations_are_numbered_once_and_without_gaps()
    {
        var files = Directory
            .GetFiles(Path.Combine(Checkout.Root, "migrations"), "*.sql")
            .Select(path => Path.GetFileName(path)!)
            .Order(StringComparer.Ordinal)
            .ToArray();

        Assert.NotEmpty(files);
        Assert.All(files, file => Assert.Matches("^[0-9]{4}_[a-z0-9_]+\\.sql$", file));
        Assert.Equal(Enumerable.Range(1, files.Length), files.Select(file => int.Parse(file[..4], null)));
    }

    [Fact]
    public void Slices_are_short_and_parts_are_not_long()
    {
        var files = Directory.GetFiles(Path.Combine(Checkout.Root, "Features"), "*.cs", SearchOption.AllDirectories);

        Assert.NotEmpty(files);
        Assert.All(
            files,
            file =>
            {
                var lines = File.ReadAllLines(file);
                var isSlice = lines.Any(line => Regex.IsMatch(line, @"^\s+internal sealed class Handler\b"));
                Assert.True(
                    lines.Length <= (isSlice ? 200 : 400),
                    $"{Path.GetFileName(file)} has {lines.Length} lines"
                );
            }
        );
    }

    private static void AssertUsedOnlyBy(string[] members, params string[] allowed)
    {
        var users = CompiledCode
            .Types.SelectMany(type =>
                CompiledCode
                    .MembersUsed(type)
                    .Intersect(members)
                    .Select(member => $"{CompiledCode.Outermost(type).FullName} uses {member}")
            )
            .Distinct()
            .ToArray();

        Assert.NotEmpty(users); // or the scan sees nothing
        Assert.DoesNotContain(users, user => !allowed.Any(prefix => user.StartsWith(prefix, StringComparison.Ordinal)));
    }
}
