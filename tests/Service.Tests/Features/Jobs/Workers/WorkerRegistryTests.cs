using Bellhop.Features.Jobs.Workers;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Workers;

public sealed class WorkerRegistryTests(ServiceFixture service) : IAsyncLifetime
{
    private const string Quieten = "UPDATE workers SET directive = 'quiet' WHERE project_id = @ProjectId AND id = @Id";

    private readonly FakeTimeProvider _clock = new();
    private readonly WorkerDocument _worker = new(Guid.CreateVersion7(), "mailer-1");
    private WorkerRegistry _registry = null!;
    private TestProject _project = null!;

    private Databases Databases => service.Services.GetRequiredService<Databases>();

    public async ValueTask InitializeAsync()
    {
        _project = await service.NewProjectAsync();
        _registry = new WorkerRegistry(Databases, service.Services.GetRequiredService<Notifications>(), _clock);
        Assert.Equal("run", await SawAsync());
    }

    public ValueTask DisposeAsync()
    {
        _registry.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task One_that_comes_back_after_a_minute_is_told_what_was_said_meanwhile()
    {
        await TestJobs.ExecuteAsync(service.Database, Quieten, new { ProjectId = _project.Id, _worker.Id });
        _clock.Advance(TimeSpan.FromSeconds(59));
        Assert.Equal("run", await SawAsync()); // what it knows is noted with the others'

        _clock.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal("quiet", await SawAsync());
    }

    [Fact]
    public async Task What_nobody_signalled_is_known_once_all_are_noted()
    {
        await TestJobs.ExecuteAsync(service.Database, Quieten, new { ProjectId = _project.Id, _worker.Id });
        _clock.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal("run", await SawAsync());

        await NoteAsync();

        Assert.Equal(("quiet", false), (await SawAsync(), _registry.HasDue));
    }

    [Fact]
    public async Task A_worker_that_somebody_holds_keeps_nobody_waiting_and_is_written_when_it_comes_again()
    {
        await using var holder = await service.Database.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await using var held = await holder.BeginTransactionAsync(TestContext.Current.CancellationToken);
        await holder.ExecuteAsync(Quieten, new { ProjectId = _project.Id, _worker.Id }, held);
        _clock.Advance(TimeSpan.FromSeconds(30));
        await SawAsync();

        await NoteAsync();
        await held.CommitAsync(TestContext.Current.CancellationToken);

        Assert.Equal(("quiet", false), (await SawAsync(), _registry.HasDue));
    }

    private ValueTask<string> SawAsync() =>
        _registry.SawAsync(_project.Id, _worker, ["mail"], TestContext.Current.CancellationToken);

    private async Task NoteAsync()
    {
        await using var connection = await Databases.Engine.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await _registry.NoteAsync(connection, TestContext.Current.CancellationToken);
    }
}
